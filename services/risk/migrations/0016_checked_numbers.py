"""Rows that come by the thousand do not each look up what their statement has looked up."""

from alembic import op

from shared.prices.ddl import CHECKED_BY_STATEMENT

revision = "risk_0016"
down_revision = "risk_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the references."""
    op.execute(CHECKED_BY_STATEMENT)
