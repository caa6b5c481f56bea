"""What books hold that is traded no more."""

from alembic import op

revision = "scheduler_0014"
down_revision = "scheduler_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; null in rows made before."""
    op.execute("ALTER TABLE cell_parts ADD COLUMN delisted text[]")
