"""A part that a barrier holds back says of which sessions it is."""

from alembic import op

from shared.bus.ddl import HELD_SESSIONS

revision = "risk_0019"
down_revision = "risk_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them to the parts."""
    op.execute(HELD_SESSIONS)
