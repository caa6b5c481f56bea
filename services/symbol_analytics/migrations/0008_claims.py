"""Whose numbers are being computed."""

from alembic import op

from shared.db.claims import TABLE

revision = "symbol_analytics_0008"
down_revision = "symbol_analytics_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(TABLE)
