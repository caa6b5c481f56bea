"""How new each bar is: which change of its symbol's bars it came with."""

from alembic import op

revision = "market_data_0008"
down_revision = "market_data_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the numbers and the column."""
    op.execute("CREATE SEQUENCE bar_revisions")
    op.execute("ALTER TABLE bars ADD COLUMN revision bigint NOT NULL DEFAULT 0")
