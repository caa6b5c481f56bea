"""Corrections of what was entered, and the version of the code behind a snapshot."""

from alembic import op

revision = "portfolio_0002"
down_revision = "portfolio_0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE snapshots ADD COLUMN code_version integer NOT NULL DEFAULT 1",
    "ALTER TABLE snapshots ALTER COLUMN code_version DROP DEFAULT",
    # What was there before a correction, and after it: null for what was added or taken away.
    """
    CREATE TABLE book_edits (
        edit_id uuid PRIMARY KEY,
        portfolio_id uuid NOT NULL REFERENCES portfolios,
        subject_id uuid NOT NULL,
        kind text NOT NULL CHECK (kind IN ('position', 'flow')),
        before jsonb,
        after jsonb,
        edited_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CHECK (before IS NOT NULL OR after IS NOT NULL)
    )
    """,
    "CREATE INDEX edits_of_portfolio ON book_edits (portfolio_id, edited_at)",
)


def upgrade() -> None:
    """Create the table and the column."""
    for statement in STATEMENTS:
        op.execute(statement)
