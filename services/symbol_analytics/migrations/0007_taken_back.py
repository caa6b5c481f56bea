"""Bars that are taken back."""

from alembic import op

from shared.prices.ddl import TAKEN_BACK

revision = "symbol_analytics_0007"
down_revision = "symbol_analytics_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let a row be without prices."""
    op.execute(TAKEN_BACK)
