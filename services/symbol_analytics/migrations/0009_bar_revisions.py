"""How new each bar is, and whether its split was inferred."""

from alembic import op

from shared.prices.ddl import REVISED

revision = "symbol_analytics_0009"
down_revision = "symbol_analytics_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the columns."""
    op.execute(REVISED)
