"""Nobody reads these tables any more as if each row said all of it."""

from alembic import op

from shared.db.alike_ddl import no_longer_filled
from shared.db.outbox import LET_PACK

revision = "risk_0052"
down_revision = "risk_0051"
branch_labels = None
depends_on = None
step = "post"

# Reverse stress is null in revisions made before there was any.
_REQUIRED = {
    "portfolio_measures": ("measures", "observations", "window_sessions"),
    "portfolio_stress": ("scenarios",),
    "portfolio_contributions": ("factors", "symbols"),
    "portfolio_correlations": ("symbols",),
}
# Rows of a revision are written with its head, and there is one head. An index that says their key once for all of them
# takes a sixth of the room of one that says it with the factor or sector for each.
_INDICES = tuple(
    statement
    for table in ("portfolio_factors", "portfolio_sectors")
    for statement in (
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey",
        f"CREATE INDEX {table}_of_revision ON {table} (portfolio_id, as_of, revision)",
    )
)
_BETAS = (
    "DROP TRIGGER fill_betas ON betas",
    "DROP FUNCTION fill_betas()",
    """
    ALTER TABLE betas ALTER COLUMN reasons DROP NOT NULL, ALTER COLUMN details DROP NOT NULL,
        ADD CHECK ((reasons IS NULL) = (details IS NULL)),
        ADD CHECK (reasons IS NOT NULL OR array_position(betas, NULL) IS NULL)
    """,
)


def upgrade() -> None:
    """Leave rows as short as they come, and large messages packed."""
    for table, required in _REQUIRED.items():
        for statement in no_longer_filled(table, required):
            op.execute(statement)
    for statement in (*_BETAS, *_INDICES, LET_PACK):
        op.execute(statement)
