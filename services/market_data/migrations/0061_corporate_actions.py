"""Dividends with their days, splits, spin-offs and mergers, and who says so."""

from alembic import op

revision = "market_data_0061"
down_revision = "market_data_0060"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE corporate_actions (
        action_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        symbol text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('dividend', 'split', 'spin_off', 'merger')),
        ex_day date NOT NULL,
        value double precision CHECK (value > 0 AND value < 'Infinity'),
        pay_day date,
        other text,
        source text NOT NULL,
        why text,
        said_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        UNIQUE NULLS NOT DISTINCT (symbol, kind, ex_day, value, other),
        CHECK (value IS NOT NULL OR kind IN ('spin_off', 'merger'))
    )
    """,
)


def upgrade() -> None:
    """Create the table."""
    for statement in TABLES:
        op.execute(statement)
