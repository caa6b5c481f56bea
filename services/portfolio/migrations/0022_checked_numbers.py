"""Rows that come by the thousand do not each look up what their statement has looked up."""

from alembic import op

from shared.prices.ddl import CHECKED_BY_STATEMENT

revision = "portfolio_0022"
down_revision = "portfolio_0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the references."""
    op.execute(CHECKED_BY_STATEMENT)
