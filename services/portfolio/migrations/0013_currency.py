"""The currency of a book and of what it holds, and what is not valued."""

from alembic import op

revision = "portfolio_0013"
down_revision = "portfolio_0012"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE portfolios ADD COLUMN currency text NOT NULL DEFAULT 'USD'",
    "ALTER TABLE portfolios ALTER COLUMN currency DROP DEFAULT",
    # Filled by the next profile of each symbol.
    "ALTER TABLE profiles ADD COLUMN currency text",
    "ALTER TABLE snapshots ADD COLUMN unvalued_positions integer NOT NULL DEFAULT 0",
    "ALTER TABLE snapshots ALTER COLUMN unvalued_positions DROP DEFAULT",
    """
    ALTER TABLE position_values
        ADD COLUMN value_reason text,
        ADD COLUMN value_detail text,
        ADD CHECK ((value_reason IS NULL) = (value_detail IS NULL)),
        ADD CHECK (value_reason IS NULL OR (market_value = 0 AND cost = 0 AND pnl = 0 AND exposure = 0))
    """,
)


def upgrade() -> None:
    """Create the columns."""
    for statement in STATEMENTS:
        op.execute(statement)
