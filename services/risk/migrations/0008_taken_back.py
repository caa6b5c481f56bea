"""Bars that are taken back."""

from alembic import op

from shared.prices.ddl import TAKEN_BACK

revision = "risk_0008"
down_revision = "risk_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let a row be without prices."""
    op.execute(TAKEN_BACK)
