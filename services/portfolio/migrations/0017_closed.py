"""The last session of a portfolio that was closed."""

from alembic import op

revision = "portfolio_0017"
down_revision = "portfolio_0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the column."""
    op.execute("ALTER TABLE portfolios ADD COLUMN closed_on date CHECK (closed_on >= opened_on)")
