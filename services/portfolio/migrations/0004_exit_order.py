"""The exits of a day in the order in which they were entered."""

from alembic import op

revision = "portfolio_0004"
down_revision = "portfolio_0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Of those that are there nobody knows.
    "ALTER TABLE position_exits ADD COLUMN place integer NOT NULL DEFAULT 0",
    "ALTER TABLE position_exits ALTER COLUMN place DROP DEFAULT",
)


def upgrade() -> None:
    """Add the column."""
    for statement in STATEMENTS:
        op.execute(statement)
