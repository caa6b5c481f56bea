"""After how many edits the statement of a book was made: an older one that is sent again changes nothing."""

from alembic import op

revision = "risk_0032"
down_revision = "risk_0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the count; of what is stored nobody knows it."""
    op.execute("ALTER TABLE owners ADD COLUMN edits integer NOT NULL DEFAULT 0")
