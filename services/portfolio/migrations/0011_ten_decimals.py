"""Quantities and prices have ten decimals, and what was given to somebody has cost nothing."""

from alembic import op

revision = "portfolio_0011"
down_revision = "portfolio_0010"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    ALTER TABLE positions
        ALTER COLUMN quantity TYPE numeric(24, 10),
        ALTER COLUMN entry_price TYPE numeric(20, 10),
        ALTER COLUMN strike TYPE numeric(20, 10),
        DROP CONSTRAINT positions_entry_price_check,
        ADD CHECK (entry_price >= 0)
    """,
    """
    ALTER TABLE position_exits
        ALTER COLUMN price TYPE numeric(20, 10),
        ALTER COLUMN quantity TYPE numeric(24, 10)
    """,
    # Of no price there is none but that of an exit, or of a gift that nobody has priced yet.
    """
    ALTER TABLE position_values
        DROP CONSTRAINT position_values_check,
        ADD CHECK (mark > 0 OR mark_source IN ('EXIT', 'COST'))
    """,
)


def upgrade() -> None:
    """Widen the columns."""
    for statement in STATEMENTS:
        op.execute(statement)
