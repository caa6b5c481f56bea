"""What a request with a key was answered with is kept as in every service: as JSON."""

from alembic import op

revision = "scheduler_0012"
down_revision = "scheduler_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep what is there."""
    op.execute("ALTER TABLE keyed_requests ALTER COLUMN answer TYPE text USING to_json(answer)::text")
