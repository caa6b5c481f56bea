"""How long runs took, found by their kind."""

from alembic import op

revision = "scheduler_0008"
down_revision = "scheduler_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.execute(
        "CREATE INDEX runs_completed ON runs (kind, requested_at DESC) "
        "WHERE status IN ('completed', 'completed_with_errors')"
    )
