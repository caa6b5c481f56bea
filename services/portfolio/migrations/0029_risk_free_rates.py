"""What three-month Treasuries yield by day, where a provider of rates is asked."""

from alembic import op

revision = "portfolio_0029"
down_revision = "portfolio_0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(
        """
        CREATE TABLE risk_free_rates (
            day date PRIMARY KEY,
            rate double precision NOT NULL CHECK (rate BETWEEN -1 AND 1)
        )
        """
    )
