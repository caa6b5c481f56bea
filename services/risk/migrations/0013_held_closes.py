"""Why bars are missing: closes that are held back."""

from alembic import op

from shared.prices.ddl import HELD_TABLE

revision = "risk_0013"
down_revision = "risk_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(HELD_TABLE)
