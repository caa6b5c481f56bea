"""Exposure of a position beside its market value, and the delta behind that of an option."""

from alembic import op

revision = "portfolio_0003"
down_revision = "portfolio_0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    ALTER TABLE position_values
        ADD COLUMN exposure numeric(20, 2),
        ADD COLUMN underlying text,
        ADD COLUMN delta double precision CHECK (delta BETWEEN -1 AND 1),
        ADD COLUMN delta_reason text,
        ADD COLUMN delta_detail text,
        ADD COLUMN volatility double precision CHECK (volatility >= 0 AND volatility < 'Infinity')
    """,
    "UPDATE position_values SET exposure = market_value",
    """
    ALTER TABLE position_values
        ALTER COLUMN exposure SET NOT NULL,
        DROP CONSTRAINT position_values_mark_check,
        ADD CHECK (mark >= 0 AND mark < 'Infinity'),
        ADD CHECK (mark > 0 OR mark_source = 'EXIT'),
        ADD CHECK ((underlying IS NULL) = (delta IS NULL AND delta_reason IS NULL)),
        ADD CHECK (delta IS NULL OR delta_reason IS NULL),
        ADD CHECK ((delta_reason IS NULL) = (delta_detail IS NULL)),
        ADD CHECK ((volatility IS NULL) = (delta IS NULL))
    """,
)


def upgrade() -> None:
    """Add the columns; of what is there, the exposure was the market value."""
    for statement in STATEMENTS:
        op.execute(statement)
