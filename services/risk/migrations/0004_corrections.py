"""Who gave the prices of a symbol, where they have been corrected, and which books that touches."""

from alembic import op

from shared.prices.ddl import CORRECTIONS_TABLE, SOURCE_COLUMN

revision = "risk_0004"
down_revision = "risk_0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    SOURCE_COLUMN,
    CORRECTIONS_TABLE,
    # The books that a run's corrections touch, until their portfolios are assessed next, by that run or a later one.
    """
    CREATE TABLE touched_books (
        portfolio_id uuid NOT NULL,
        as_of date NOT NULL,
        run_id uuid NOT NULL,
        PRIMARY KEY (portfolio_id, as_of, run_id)
    )
    """,
)


def upgrade() -> None:
    """Add the column, filled by the next bars of each symbol, and the tables."""
    for statement in STATEMENTS:
        op.execute(statement)
