"""Runs that were cancelled."""

from alembic import op

from shared.bus.ddl import CANCELLED_RUNS

revision = "risk_0006"
down_revision = "risk_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(CANCELLED_RUNS)
