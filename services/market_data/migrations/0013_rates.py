"""Interest rates by series and day, and from when on and when each series was asked for."""

from alembic import op

revision = "market_data_0013"
down_revision = "market_data_0011"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE rates (
        series text NOT NULL,
        day date NOT NULL,
        rate double precision NOT NULL CHECK (rate BETWEEN -1 AND 1),
        source text NOT NULL,
        fetched_at timestamptz NOT NULL,
        PRIMARY KEY (series, day)
    )
    """,
    """
    CREATE TABLE rate_series (
        series text PRIMARY KEY,
        since date NOT NULL,
        asked_at timestamptz NOT NULL
    )
    """,
)


def upgrade() -> None:
    """Create the tables."""
    for statement in TABLES:
        op.execute(statement)
