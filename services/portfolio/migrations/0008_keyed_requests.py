"""What requests with a key were answered with."""

from alembic import op

from shared.db.keyed_requests import KEYED_REQUESTS

revision = "portfolio_0008"
down_revision = "portfolio_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(KEYED_REQUESTS)
