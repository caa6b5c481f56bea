"""When the schedule fired and what came of it, and its pauses."""

from alembic import op

revision = "scheduler_0002"
down_revision = "scheduler_0001"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE fires (
        trigger_name text NOT NULL,
        due_at timestamptz NOT NULL,
        fired_at timestamptz NOT NULL,
        session date NOT NULL,
        outcome text NOT NULL,
        detail text NOT NULL DEFAULT '',
        run_ids uuid[] NOT NULL DEFAULT '{}',
        fired_by text NOT NULL,
        PRIMARY KEY (trigger_name, due_at)
    )
    """,
    "CREATE INDEX fires_newest ON fires (due_at DESC)",
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


def downgrade() -> None:
    """Not offered: facts are not dropped by a migration."""
    raise NotImplementedError
