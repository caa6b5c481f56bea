"""When what is known of a symbol was fetched: what was fetched earlier replaces nothing."""

from alembic import op

revision = "portfolio_0018"
down_revision = "portfolio_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the column."""
    op.execute("ALTER TABLE profiles ADD COLUMN fetched_at timestamptz NOT NULL DEFAULT '-infinity'")
