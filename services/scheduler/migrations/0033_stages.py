"""How far each stage of a run is, counted as its parts come: counted anew with each, all of them would be read."""

from alembic import op

from shared.db.ownership import belonging

revision = "scheduler_0033"
down_revision = "scheduler_0032"
branch_labels = None
depends_on = None

# The part -1 stands for those that never came.
STATEMENTS = (
    """
    CREATE TABLE run_stages (
        run_id uuid NOT NULL,
        stage text NOT NULL,
        parts_done integer NOT NULL,
        parts_total integer,
        least_total integer,
        subjects bigint NOT NULL,
        failed bigint NOT NULL,
        first_at timestamptz,
        last_at timestamptz,
        closed_at timestamptz,
        PRIMARY KEY (run_id, stage)
    )
    """,
    # Whoever stores a part: processes of the version before do not know that it is counted.
    """
    CREATE FUNCTION count_part() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    DECLARE
        came boolean := NEW.part_index <> -1;
        total integer := CASE WHEN came THEN NEW.part_total END;
        at timestamptz := CASE WHEN came THEN NEW.arrived_at END;
    BEGIN
        INSERT INTO run_stages AS s VALUES (
            NEW.run_id, NEW.stage, CAST(came AS integer), total, total, NEW.subjects, NEW.failed, at, at,
            CASE WHEN NOT came THEN NEW.arrived_at END)
        ON CONFLICT (run_id, stage) DO UPDATE SET
            parts_done = s.parts_done + excluded.parts_done,
            parts_total = greatest(s.parts_total, excluded.parts_total),
            least_total = least(s.least_total, excluded.least_total),
            subjects = s.subjects + excluded.subjects,
            failed = s.failed + excluded.failed,
            first_at = least(s.first_at, excluded.first_at),
            last_at = greatest(s.last_at, excluded.last_at),
            closed_at = greatest(s.closed_at, excluded.closed_at);
        RETURN NULL;
    END
    $$
    """,
    "CREATE TRIGGER count_part AFTER INSERT ON run_parts FOR EACH ROW EXECUTE FUNCTION count_part()",
    """
    INSERT INTO run_stages
    SELECT run_id, stage, count(*) FILTER (WHERE came), max(part_total) FILTER (WHERE came),
        min(part_total) FILTER (WHERE came), sum(subjects), sum(failed),
        min(arrived_at) FILTER (WHERE came), max(arrived_at) FILTER (WHERE came),
        max(arrived_at) FILTER (WHERE NOT came)
    FROM run_parts, LATERAL (SELECT part_index <> -1 AS came) c GROUP BY run_id, stage
    """,
)


def upgrade() -> None:
    """Create the table, fill it, and keep it."""
    for statement in (*STATEMENTS, *belonging("run_stages", "run_id", "runs")):
        op.execute(statement)
