"""Splits that nobody gave."""

from alembic import op

revision = "portfolio_0016"
down_revision = "portfolio_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, filled by the next bars of each symbol."""
    op.execute(
        "CREATE TABLE inferred_splits (symbol text NOT NULL, session date NOT NULL, PRIMARY KEY (symbol, session))"
    )
