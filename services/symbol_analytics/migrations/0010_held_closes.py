"""Why bars are missing: closes that are held back."""

from alembic import op

from shared.prices.ddl import HELD_TABLE

revision = "symbol_analytics_0010"
down_revision = "symbol_analytics_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(HELD_TABLE)
