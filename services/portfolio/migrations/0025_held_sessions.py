"""A part that a barrier holds back says of which sessions it is."""

from alembic import op

from shared.bus.ddl import HELD_SESSIONS

revision = "portfolio_0025"
down_revision = "portfolio_0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them to the parts."""
    op.execute(HELD_SESSIONS)
