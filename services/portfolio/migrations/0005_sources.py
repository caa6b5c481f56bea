"""Who gave the prices of a symbol."""

from alembic import op

from shared.prices.ddl import SOURCE_COLUMN

revision = "portfolio_0005"
down_revision = "portfolio_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; it is filled by the next bars of each symbol."""
    op.execute(SOURCE_COLUMN)
