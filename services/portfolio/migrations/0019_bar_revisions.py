"""How new each bar is, and whether its split was inferred."""

from alembic import op

from shared.prices.ddl import REVISED

revision = "portfolio_0019"
down_revision = "portfolio_0018"
branch_labels = None
depends_on = None

STATEMENTS = (
    REVISED,
    """
    UPDATE price_bars b SET inferred = true FROM inferred_splits i JOIN price_symbols s USING (symbol)
    WHERE b.symbol_id = s.symbol_id AND b.session = i.session
    """,
    "DROP TABLE inferred_splits",
    "CREATE INDEX price_bars_inferred ON price_bars (symbol_id, session) WHERE inferred",
)


def upgrade() -> None:
    """Create the columns and carry over which splits were inferred."""
    for statement in STATEMENTS:
        op.execute(statement)
