"""Runs that wait for another run."""

from alembic import op

from shared.bus.ddl import WAITING_RUNS

revision = "risk_0005"
down_revision = "risk_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index."""
    for statement in WAITING_RUNS:
        op.execute(statement)
