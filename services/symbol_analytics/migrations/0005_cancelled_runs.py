"""Runs that were cancelled."""

from alembic import op

from shared.bus.ddl import CANCELLED_RUNS

revision = "symbol_analytics_0005"
down_revision = "symbol_analytics_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(CANCELLED_RUNS)
