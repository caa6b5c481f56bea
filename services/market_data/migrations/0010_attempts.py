"""Who was asked for a symbol in vain, and what they said, by the session that it was asked for."""

from alembic import op

revision = "market_data_0010"
down_revision = "market_data_0009"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE attempts (
        symbol text NOT NULL,
        kind text NOT NULL,
        session date NOT NULL,
        place smallint NOT NULL,
        provider text NOT NULL,
        outcome text NOT NULL,
        detail text NOT NULL,
        run_id uuid NOT NULL,
        tried_at timestamptz NOT NULL,
        PRIMARY KEY (symbol, kind, session, place)
    )
    """,
    "CREATE INDEX attempts_tried_at ON attempts (tried_at)",
)


def upgrade() -> None:
    """Create the table."""
    for statement in TABLES:
        op.execute(statement)
