"""A portfolio may be called otherwise: what it was called is among the corrections."""

from alembic import op

revision = "portfolio_0009"
down_revision = "portfolio_0008"
branch_labels = None
depends_on = None

_CHECK = "ALTER TABLE book_edits DROP CONSTRAINT book_edits_kind_check, ADD CONSTRAINT book_edits_kind_check CHECK "


def upgrade() -> None:
    """Let corrections be about the portfolio itself."""
    op.execute(_CHECK + "(kind IN ('position', 'flow', 'portfolio'))")
