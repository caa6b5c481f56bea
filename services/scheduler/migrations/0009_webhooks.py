"""What is to be told outside, until it has been received or given up."""

from alembic import op

revision = "scheduler_0009"
down_revision = "scheduler_0008"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE webhook_deliveries (
        delivery_id uuid PRIMARY KEY,
        run_id uuid NOT NULL,
        type text NOT NULL,
        body text NOT NULL,
        queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        attempts integer NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        delivered_at timestamptz,
        given_up_at timestamptz,
        last_error text,
        CHECK (delivered_at IS NULL OR given_up_at IS NULL)
    )
    """,
    """
    CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at)
    WHERE delivered_at IS NULL AND given_up_at IS NULL
    """,
)


def upgrade() -> None:
    """Create the table."""
    for statement in TABLES:
        op.execute(statement)
