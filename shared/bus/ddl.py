"""The tables of the bus, created in every service's schema by its first migration."""

BUS_TABLES = (
    """
    CREATE TABLE inbox (
        consumer text NOT NULL,
        event_id uuid NOT NULL,
        replay_id text NOT NULL DEFAULT '',
        received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (consumer, event_id, replay_id)
    )
    """,
    """
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        run_id uuid,
        topic text NOT NULL,
        key text NOT NULL,
        value bytea NOT NULL,
        headers jsonb NOT NULL,
        published_at timestamptz,
        error text,
        PRIMARY KEY (id, created_at)
    ) PARTITION BY RANGE (created_at)
    """,
    # Takes what comes when no day's partition was made in time; never dropped.
    "CREATE TABLE outbox_default PARTITION OF outbox DEFAULT",
    """
    DO $$ BEGIN
        FOR ahead IN 0..3 LOOP
            EXECUTE format(
                'CREATE TABLE outbox_%s PARTITION OF outbox FOR VALUES FROM (%L) TO (%L)',
                to_char((now() AT TIME ZONE 'UTC')::date + ahead, 'YYYYMMDD'),
                ((now() AT TIME ZONE 'UTC')::date + ahead)::text || 'T00:00:00Z',
                ((now() AT TIME ZONE 'UTC')::date + ahead + 1)::text || 'T00:00:00Z'
            );
        END LOOP;
    END $$
    """,
    "CREATE INDEX outbox_pending ON outbox (id) WHERE published_at IS NULL AND error IS NULL",
    """
    CREATE FUNCTION outbox_wake() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('outbox.' || TG_TABLE_SCHEMA, ''); RETURN NULL; END $$
    """,
    "CREATE TRIGGER outbox_wake AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION outbox_wake()",
    """
    CREATE TABLE fan_in (
        stage text NOT NULL,
        run_id uuid NOT NULL,
        run jsonb NOT NULL,
        arrived integer NOT NULL,
        totals jsonb NOT NULL,
        deadline_at timestamptz NOT NULL,
        fired_at timestamptz,
        PRIMARY KEY (stage, run_id)
    )
    """,
    "CREATE INDEX fan_in_open ON fan_in (deadline_at) WHERE fired_at IS NULL",
    """
    CREATE TABLE fan_in_part (
        stage text NOT NULL,
        run_id uuid NOT NULL,
        stream text NOT NULL,
        part_index integer NOT NULL,
        part_total integer NOT NULL,
        subjects jsonb NOT NULL,
        failures jsonb NOT NULL,
        PRIMARY KEY (stage, run_id, stream, part_index)
    )
    """,
)

# For services that are given work: what of it is no longer wanted.
CANCELLED_RUNS = """
    CREATE TABLE cancelled_runs (
        run_id uuid PRIMARY KEY,
        noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
"""

# For services with a barrier that holds parts back: what of the run such a part is.
HELD_SESSIONS = "ALTER TABLE fan_in_part ADD COLUMN first_session date, ADD COLUMN last_session date"

# For services with a barrier: a run whose parts are in may still wait for another run.
WAITING_RUNS = (
    "ALTER TABLE fan_in ADD COLUMN waits_for uuid",
    "CREATE INDEX fan_in_waiting ON fan_in (stage, waits_for) WHERE waits_for IS NOT NULL AND fired_at IS NULL",
)
