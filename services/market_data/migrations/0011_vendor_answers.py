"""Answers about the whole market that a run shares with the next one, so that a first load can take days."""

from alembic import op

revision = "market_data_0011"
down_revision = "market_data_0010"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE vendor_answers (
        vendor text NOT NULL,
        what text NOT NULL,
        until date NOT NULL,
        fetched_at timestamptz NOT NULL,
        body bytea NOT NULL,
        PRIMARY KEY (vendor, what)
    )
    """,
)


def upgrade() -> None:
    """Create the table."""
    for statement in TABLES:
        op.execute(statement)
