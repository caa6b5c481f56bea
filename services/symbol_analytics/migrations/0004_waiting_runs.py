"""Runs that wait for another run."""

from alembic import op

from shared.bus.ddl import WAITING_RUNS

revision = "symbol_analytics_0004"
down_revision = "symbol_analytics_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index."""
    for statement in WAITING_RUNS:
        op.execute(statement)
