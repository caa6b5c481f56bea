"""The order in which the ledger learnt what, from which the log of a run is read; and why a run was ended early."""

from alembic import op

revision = "scheduler_0005"
down_revision = "scheduler_0004"
branch_labels = None
depends_on = None

TABLES = (
    # Places are taken while the run is locked: whoever sees one has seen all before it of that run.
    "CREATE SEQUENCE run_places",
    "ALTER TABLE run_parts ADD COLUMN place bigint NOT NULL DEFAULT nextval('run_places')",
    "ALTER TABLE dead_letters ADD COLUMN place bigint NOT NULL DEFAULT nextval('run_places')",
    "CREATE INDEX dead_letters_by_run ON dead_letters (run_id)",
    "ALTER TABLE runs ADD COLUMN ended_place bigint, ADD COLUMN why text",
    "UPDATE runs SET ended_place = nextval('run_places') WHERE finished_at IS NOT NULL",
)


def upgrade() -> None:
    """Change the tables."""
    for statement in TABLES:
        op.execute(statement)
