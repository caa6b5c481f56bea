"""Runs that were cancelled."""

from alembic import op

from shared.bus.ddl import CANCELLED_RUNS

revision = "portfolio_0007"
down_revision = "portfolio_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(CANCELLED_RUNS)
