"""In whose shares a position was entered, and whether every split since then is in its quantity."""

from alembic import op

revision = "portfolio_0012"
down_revision = "portfolio_0011"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Those that are there were handed over in the shares of the opening.
    """
    ALTER TABLE positions ADD COLUMN basis text NOT NULL DEFAULT 'AS_OF_OPENING'
        CHECK (basis IN ('AS_TRADED', 'AS_OF_OPENING'))
    """,
    "ALTER TABLE positions ALTER COLUMN basis DROP DEFAULT",
    "ALTER TABLE position_values ADD COLUMN splits_known boolean NOT NULL DEFAULT true",
    "ALTER TABLE position_values ALTER COLUMN splits_known DROP DEFAULT",
)


def upgrade() -> None:
    """Create the columns."""
    for statement in STATEMENTS:
        op.execute(statement)
