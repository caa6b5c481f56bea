"""Nobody reads the values of books any more as if each row said all of it."""

from alembic import op

from shared.db.alike_ddl import no_longer_filled
from shared.db.outbox import LET_PACK

revision = "portfolio_0036"
down_revision = "portfolio_0035"
branch_labels = None
depends_on = None
step = "post"

_REQUIRED = ("position_id", "symbol", "sector", "quantity", "mark_source", "oversold", "splits_known")
_EXPOSURE = (
    "DROP TRIGGER fill_exposure ON book_values",
    "DROP FUNCTION fill_exposure()",
    "ALTER TABLE book_values ALTER COLUMN exposure DROP NOT NULL",
)


def upgrade() -> None:
    """Leave rows as short as they come, and large messages packed."""
    for statement in no_longer_filled("book_values", _REQUIRED):
        op.execute(statement)
    for statement in (*_EXPOSURE, LET_PACK):
        op.execute(statement)
