"""Who gave the prices of a symbol, and where they have been corrected."""

from alembic import op

from shared.prices.ddl import CORRECTIONS_TABLE, SOURCE_COLUMN

revision = "symbol_analytics_0002"
down_revision = "symbol_analytics_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, filled by the next bars of each symbol, and the table."""
    for statement in (SOURCE_COLUMN, CORRECTIONS_TABLE):
        op.execute(statement)
