"""Dead letters that are redriven: by whom, why, how, and what came of each."""

from alembic import op

revision = "scheduler_0011"
down_revision = "scheduler_0010"
branch_labels = None
depends_on = None

TABLES = (
    # That of a letter of a run that made others good goes on counting where theirs are.
    "ALTER TABLE dead_letters ADD COLUMN redrives integer NOT NULL DEFAULT 0",
    """
    CREATE TABLE redrives (
        redrive_id uuid PRIMARY KEY,
        requested_by text NOT NULL,
        why text NOT NULL,
        requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        finished_at timestamptz
    )
    """,
    """
    CREATE TABLE redriven_letters (
        redrive_id uuid NOT NULL REFERENCES redrives,
        letter_id uuid NOT NULL REFERENCES dead_letters,
        replay_id uuid NOT NULL UNIQUE,
        way text NOT NULL,
        status text NOT NULL DEFAULT 'queued',
        run_id uuid,
        detail text NOT NULL DEFAULT '',
        PRIMARY KEY (redrive_id, letter_id)
    )
    """,
    "CREATE UNIQUE INDEX redriven_letters_in_hand ON redriven_letters (letter_id) "
    "WHERE status NOT IN ('settled', 'failed', 'dropped')",
    "CREATE INDEX redriven_letters_by_run ON redriven_letters (run_id)",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in TABLES:
        op.execute(statement)
