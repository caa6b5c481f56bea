"""Which cells are done, and the books whose cells are expected."""

from alembic import op

revision = "scheduler_0003"
down_revision = "scheduler_0002"
branch_labels = None
depends_on = None

TABLES = (
    # One row per event, fact and session, never changed: `whys` are places in `reasons` and `details`, one per failed.
    """
    CREATE TABLE cell_parts (
        session date NOT NULL,
        fact text NOT NULL,
        run_id uuid NOT NULL,
        part_index integer NOT NULL,
        asked_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        done text[] NOT NULL,
        revisions integer[],
        failed text[] NOT NULL,
        whys integer[] NOT NULL,
        reasons text[] NOT NULL,
        details text[] NOT NULL,
        PRIMARY KEY (session, fact, run_id, part_index)
    )
    """,
    "CREATE INDEX cell_parts_by_run ON cell_parts (run_id)",
    """
    CREATE TABLE books (
        portfolio_id uuid PRIMARY KEY,
        name text,
        opened_on date NOT NULL,
        holdings jsonb NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    "CREATE INDEX books_by_name ON books (name)",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in TABLES:
        op.execute(statement)
