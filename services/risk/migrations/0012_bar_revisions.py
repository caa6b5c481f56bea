"""How new each bar is, and whether its split was inferred."""

from alembic import op

from shared.prices.ddl import REVISED

revision = "risk_0012"
down_revision = "risk_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the columns."""
    op.execute(REVISED)
