"""What happened in each run, as it was learnt from events."""

from alembic import op

revision = "scheduler_0005"
down_revision = "scheduler_0004"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE run_log (
        run_id uuid NOT NULL,
        place bigint GENERATED ALWAYS AS IDENTITY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        level text NOT NULL,
        stage text,
        message text NOT NULL,
        PRIMARY KEY (run_id, place)
    )
    """,
    """
    CREATE TABLE webhook_deliveries (
        delivery_id uuid PRIMARY KEY,
        run_id uuid NOT NULL,
        event text NOT NULL,
        body jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        attempts integer NOT NULL DEFAULT 0,
        next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        delivered_at timestamptz,
        last_error text
    )
    """,
    "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at) WHERE delivered_at IS NULL",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in TABLES:
        op.execute(statement)
