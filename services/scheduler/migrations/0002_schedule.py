"""When the schedule fired and what came of it, and its pauses."""

from alembic import op

revision = "scheduler_0002"
down_revision = "scheduler_0001"
branch_labels = None
depends_on = None

TABLES = (
    # Since when a trigger has its times: what was due before is not missed.
    """
    CREATE TABLE triggers (
        trigger_name text PRIMARY KEY,
        crontab text NOT NULL,
        zone text NOT NULL,
        since timestamptz NOT NULL
    )
    """,
    # Whoever inserts the row has fired the trigger, in the transaction of the runs that it asks for.
    """
    CREATE TABLE fires (
        trigger_name text NOT NULL,
        due_at timestamptz NOT NULL,
        fire_id uuid NOT NULL UNIQUE,
        session date NOT NULL,
        outcome text NOT NULL,
        detail text NOT NULL,
        run_ids uuid[] NOT NULL DEFAULT '{}',
        waits_for uuid,
        asked_by text,
        fired_by text NOT NULL,
        fired_at timestamptz NOT NULL,
        PRIMARY KEY (trigger_name, due_at),
        CHECK (outcome <> 'waiting' OR waits_for IS NOT NULL)
    )
    """,
    "CREATE INDEX fires_newest ON fires (due_at DESC, trigger_name)",
    "CREATE INDEX fires_by_session ON fires (session, trigger_name)",
    "CREATE INDEX fires_waiting ON fires (due_at) WHERE outcome = 'waiting'",
    """
    CREATE TABLE schedule_pauses (
        paused_at timestamptz PRIMARY KEY,
        paused_by text NOT NULL,
        why text NOT NULL,
        resumed_at timestamptz,
        resumed_by text
    )
    """,
    "CREATE UNIQUE INDEX schedule_paused_once ON schedule_pauses ((resumed_at IS NULL)) WHERE resumed_at IS NULL",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in TABLES:
        op.execute(statement)
