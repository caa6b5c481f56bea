"""What requests with a key were answered with: runs and backfills alike."""

from alembic import op

revision = "scheduler_0006"
down_revision = "scheduler_0005"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE keyed_requests (
        idempotency_key text PRIMARY KEY,
        digest text NOT NULL,
        answer uuid NOT NULL,
        answered_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    "ALTER TABLE backfills DROP COLUMN idempotency_key",
)


def upgrade() -> None:
    """Create the table."""
    for statement in TABLES:
        op.execute(statement)
