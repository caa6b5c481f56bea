"""Who did what over HTTP, and who has corrected a book: null of what was corrected before."""

from alembic import op

from shared.db.audit import AUDIT_TABLE

revision = "portfolio_0031"
down_revision = "portfolio_0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table that is only appended to."""
    for statement in AUDIT_TABLE:
        op.execute(statement)
    op.execute("ALTER TABLE book_edits ADD COLUMN edited_by text")
