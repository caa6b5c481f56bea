"""Bars that are taken back."""

from alembic import op

from shared.prices.ddl import TAKEN_BACK

revision = "portfolio_0015"
down_revision = "portfolio_0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let a row be without prices."""
    op.execute(TAKEN_BACK)
