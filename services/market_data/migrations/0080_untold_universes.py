"""Lists of constituents that no run has told of: risk compares books with them."""

from alembic import op

revision = "market_data_0080"
down_revision = "market_data_0051"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE untold_universes (
        universe text NOT NULL,
        as_of date NOT NULL,
        loaded_at timestamptz NOT NULL,
        symbols integer NOT NULL,
        PRIMARY KEY (universe, as_of)
    )
    """,
    # What was loaded before anybody listened. When, nobody knows: whatever is loaded from now on is newer.
    """
    INSERT INTO untold_universes (universe, as_of, loaded_at, symbols)
    SELECT universe, as_of, '1970-01-01T00:00:00Z', count(*) FROM constituents GROUP BY universe, as_of
    """,
)


def upgrade() -> None:
    """Create the table, with every list that is there."""
    for statement in STATEMENTS:
        op.execute(statement)
