"""The deadlines of a run's stages count from its request, or from the last start of the scheduler."""

from alembic import op

revision = "scheduler_0007"
down_revision = "scheduler_0006"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE runs RENAME COLUMN deadline_at TO counts_from",
    "ALTER TABLE runs ALTER COLUMN counts_from SET DEFAULT clock_timestamp()",
    "UPDATE runs SET counts_from = requested_at",
)


def upgrade() -> None:
    """Change the column."""
    for statement in STATEMENTS:
        op.execute(statement)
