"""Nobody reads the tables any more as if each row said all of it."""

from alembic import op

from shared.db.alike_ddl import no_longer_filled
from shared.db.outbox import LET_PACK

revision = "symbol_analytics_0043"
down_revision = "symbol_analytics_0042"
branch_labels = None
depends_on = None
step = "post"

_REQUIRED = {
    "symbol_estimates": (
        *("methods", "reasons", "details", "capped", "n_observations", "first_sessions", "last_sessions"),
    ),
    "symbol_metrics": ("unavailable",),
}


def upgrade() -> None:
    """Leave rows as short as they come, and large messages packed."""
    for table, required in _REQUIRED.items():
        for statement in no_longer_filled(table, required):
            op.execute(statement)
    op.execute(LET_PACK)
