"""What indices are made of, as market_data has told; a list is read whole."""

from alembic import op

from shared.db.ownership import everybodys

revision = "risk_0050"
down_revision = "risk_0032"
branch_labels = None
depends_on = None

CONSTITUENTS = """
    CREATE TABLE constituents (
        universe text NOT NULL,
        as_of date NOT NULL,
        loaded_at timestamptz NOT NULL,
        symbols text[] NOT NULL,
        weights double precision[] NOT NULL,
        PRIMARY KEY (universe, as_of),
        CHECK (cardinality(symbols) = cardinality(weights) AND array_positions(weights, NULL) = '{}'),
        CHECK (0 <= ALL (weights) AND 1 >= ALL (weights))
    )
"""


def upgrade() -> None:
    """Create the table, for owners to read."""
    for statement in (CONSTITUENTS, *everybodys("constituents")):
        op.execute(statement)
