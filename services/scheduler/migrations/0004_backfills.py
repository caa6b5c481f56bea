"""Backfills, and the steps that they are done in."""

from alembic import op

revision = "scheduler_0004"
down_revision = "scheduler_0003"
branch_labels = None
depends_on = None

TABLES = (
    "ALTER TABLE run_parts ADD COLUMN unchanged integer NOT NULL DEFAULT 0",
    """
    CREATE TABLE backfills (
        backfill_id uuid PRIMARY KEY,
        selection jsonb NOT NULL,
        status text NOT NULL DEFAULT 'active',
        requested_by text NOT NULL,
        idempotency_key text UNIQUE,
        requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        finished_at timestamptz,
        CHECK ((status IN ('active', 'paused')) = (finished_at IS NULL))
    )
    """,
    "CREATE INDEX backfills_newest ON backfills (requested_at DESC)",
    """
    CREATE TABLE backfill_steps (
        backfill_id uuid NOT NULL REFERENCES backfills (backfill_id),
        place integer NOT NULL,
        attempt integer NOT NULL,
        reprocess text NOT NULL,
        first_session date NOT NULL,
        last_session date NOT NULL,
        symbols text[] NOT NULL,
        portfolio_ids uuid[] NOT NULL,
        cells integer NOT NULL,
        symbol_sessions integer NOT NULL,
        portfolio_sessions integer NOT NULL,
        status text NOT NULL DEFAULT 'queued',
        run_id uuid,
        done_cells integer NOT NULL DEFAULT 0,
        unchanged_cells integer NOT NULL DEFAULT 0,
        failed_cells integer NOT NULL DEFAULT 0,
        started_at timestamptz,
        finished_at timestamptz,
        PRIMARY KEY (backfill_id, place)
    )
    """,
    # At most one step is in flight, of all backfills together.
    "CREATE UNIQUE INDEX backfill_steps_in_flight ON backfill_steps ((true)) WHERE status = 'running'",
    "CREATE INDEX backfill_steps_newest ON backfill_steps (finished_at DESC) WHERE status = 'done'",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in TABLES:
        op.execute(statement)
