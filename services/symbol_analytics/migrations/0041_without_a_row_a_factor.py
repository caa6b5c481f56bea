"""Nobody writes one row a factor any more."""

from alembic import op

revision = "symbol_analytics_0041"
down_revision = "symbol_analytics_0040"
branch_labels = None
depends_on = None
step = "post"


def upgrade() -> None:
    """Drop the table, what followed it with it."""
    op.execute("DROP TABLE symbol_factors")
    op.execute("DROP FUNCTION follow_symbol_factors()")
