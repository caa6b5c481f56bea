"""A part that a barrier holds back says of which sessions it is."""

from alembic import op

from shared.bus.ddl import HELD_SESSIONS

revision = "symbol_analytics_0013"
down_revision = "symbol_analytics_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them to the parts."""
    op.execute(HELD_SESSIONS)
