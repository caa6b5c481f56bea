"""Whose a book is, and what owners may read: their books, and the runs that are over nothing but those."""

from alembic import op

from shared.db.ownership import OWNER_COLUMN, belonging, owned

revision = "scheduler_0015"
down_revision = "scheduler_0014"
branch_labels = None
depends_on = None

# A run that names no portfolio is a night's, or one over symbols.
RUNS = """
    CREATE POLICY readers ON runs FOR SELECT USING (
        jsonb_array_length(coalesce(nullif(run -> 'portfolio_ids', 'null'), '[]')) > 0
        AND NOT EXISTS (
            SELECT FROM jsonb_array_elements_text(nullif(run -> 'portfolio_ids', 'null')) AS named
            WHERE CAST(named AS uuid) NOT IN (SELECT portfolio_id FROM books)))
"""


def upgrade() -> None:
    """Add the column and the policies; what is there is nobody's."""
    op.execute(f"ALTER TABLE books ADD COLUMN {OWNER_COLUMN}")
    policies = [
        *owned("books"),
        "ALTER TABLE runs ENABLE ROW LEVEL SECURITY",
        RUNS,
        *belonging("run_parts", "run_id", "runs"),
        *belonging("dead_letters", "run_id", "runs"),
    ]
    for statement in policies:
        op.execute(statement)
