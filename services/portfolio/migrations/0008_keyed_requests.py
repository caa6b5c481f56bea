"""What requests with a key were answered with."""

from alembic import op

revision = "portfolio_0008"
down_revision = "portfolio_0007"
branch_labels = None
depends_on = None

TABLE = """
    CREATE TABLE keyed_requests (
        idempotency_key text PRIMARY KEY,
        digest text NOT NULL,
        portfolio_id uuid NOT NULL,
        run_id uuid NOT NULL,
        positions integer NOT NULL,
        answered_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(TABLE)
