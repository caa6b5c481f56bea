"""Which symbols an index is made of, and how much of it each is, from which day on."""

from alembic import op

revision = "market_data_0062"
down_revision = "market_data_0061"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE constituents (
        universe text NOT NULL,
        as_of date NOT NULL,
        symbol text NOT NULL,
        weight double precision NOT NULL CHECK (weight >= 0 AND weight <= 1),
        PRIMARY KEY (universe, as_of, symbol)
    )
    """,
)


def upgrade() -> None:
    """Create the table."""
    for statement in TABLES:
        op.execute(statement)
