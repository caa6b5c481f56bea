"""Rows that come by the thousand do not each look up what their statement has looked up."""

from alembic import op

from shared.prices.ddl import CHECKED_BY_STATEMENT

revision = "symbol_analytics_0011"
down_revision = "symbol_analytics_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the references."""
    op.execute(CHECKED_BY_STATEMENT)
    # The same for the definition that a row names: of 13 factors a symbol, each row asked for it.
    op.execute("ALTER TABLE symbol_factors DROP CONSTRAINT symbol_factors_factor_set_id_fkey")
    op.execute("ALTER TABLE symbol_loadings DROP CONSTRAINT symbol_loadings_factor_set_id_fkey")
