"""Runs, their ledger and the dead letters."""

from alembic import op

from shared.bus.ddl import BUS_TABLES

revision = "scheduler_0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE runs (
        run_id uuid PRIMARY KEY,
        kind text NOT NULL,
        first_session date NOT NULL,
        last_session date NOT NULL CHECK (last_session >= first_session),
        scope text NOT NULL,
        run jsonb NOT NULL,
        status text NOT NULL DEFAULT 'active',
        requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        deadline_at timestamptz NOT NULL,
        finished_at timestamptz,
        CHECK ((status = 'active') = (finished_at IS NULL))
    )
    """,
    # A second request for the same work joins the run that is under way. A scope of many symbols outgrows an index.
    "CREATE UNIQUE INDEX runs_one_active ON runs (kind, last_session, md5(scope)) WHERE status = 'active'",
    "CREATE INDEX runs_by_session ON runs (last_session DESC, requested_at DESC)",
    """
    CREATE TABLE run_parts (
        run_id uuid NOT NULL,
        stage text NOT NULL,
        part_index integer NOT NULL,
        part_total integer NOT NULL,
        subjects integer NOT NULL,
        failures jsonb NOT NULL,
        failed integer NOT NULL,
        arrived_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (run_id, stage, part_index)
    )
    """,
    """
    CREATE TABLE dead_letters (
        topic text NOT NULL,
        partition_number integer NOT NULL,
        position bigint NOT NULL,
        consumer text NOT NULL,
        run_id uuid,
        reason text NOT NULL,
        detail text NOT NULL,
        attempts integer NOT NULL,
        value bytea NOT NULL,
        headers jsonb NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    # With the digest, since a broker that has lost its log gives the same positions to other messages.
    """
    CREATE UNIQUE INDEX dead_letters_once
    ON dead_letters (topic, partition_number, position, consumer, md5(value))
    """,
    "CREATE INDEX dead_letters_newest ON dead_letters (recorded_at DESC)",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in (*BUS_TABLES, *TABLES):
        op.execute(statement)
