"""Nobody writes one row a position and session any more."""

from alembic import op

revision = "portfolio_0034"
down_revision = "portfolio_0033"
branch_labels = None
depends_on = None
step = "post"


def upgrade() -> None:
    """Drop the table, and what had each of the two follow the other one."""
    op.execute("DROP TABLE position_values")
    op.execute("DROP TRIGGER follow_book_values ON book_values")
    op.execute("DROP FUNCTION follow_position_values()")
    op.execute("DROP FUNCTION follow_book_values()")
