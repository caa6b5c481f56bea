"""The last session of a book that was closed: none of its cells are expected after it."""

from alembic import op

revision = "scheduler_0013"
down_revision = "scheduler_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the column."""
    op.execute("ALTER TABLE books ADD COLUMN closed_on date")
