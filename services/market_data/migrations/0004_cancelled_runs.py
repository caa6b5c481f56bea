"""Runs that were cancelled."""

from alembic import op

from shared.bus.ddl import CANCELLED_RUNS

revision = "market_data_0004"
down_revision = "market_data_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(CANCELLED_RUNS)
