"""Whose risk is being assessed, and how new is what others have told."""

from alembic import op

from shared.db.claims import TABLE

revision = "risk_0010"
down_revision = "risk_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and the columns."""
    op.execute(TABLE)
    op.execute("ALTER TABLE betas ADD COLUMN revision integer NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE profiles ADD COLUMN fetched_at timestamptz NOT NULL DEFAULT '-infinity'")
