"""Whether a vendor that has failed had answered: then another way of asking its servers may go well."""

from alembic import op

revision = "market_data_0014"
down_revision = "market_data_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE vendor_breakers ADD COLUMN answered boolean NOT NULL DEFAULT false")
