"""Both directions of a session's flows kept apart, and a reference by which a flow is known to whoever enters it."""

from alembic import op

revision = "portfolio_0010"
down_revision = "portfolio_0009"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE snapshots ADD COLUMN contributions numeric(20, 2), ADD COLUMN withdrawals numeric(20, 2)",
    # Of both directions of one session only the difference is known; its next revision tells them apart.
    "UPDATE snapshots SET contributions = greatest(flow, 0), withdrawals = greatest(-flow, 0)",
    """
    ALTER TABLE snapshots ALTER COLUMN contributions SET NOT NULL, ALTER COLUMN withdrawals SET NOT NULL,
        ADD CHECK (flow = contributions - withdrawals AND contributions >= 0 AND withdrawals >= 0)
    """,
    "ALTER TABLE flows ADD COLUMN reference text",
    "CREATE UNIQUE INDEX flows_by_reference ON flows (portfolio_id, reference)",
)


def upgrade() -> None:
    """Create the columns."""
    for statement in STATEMENTS:
        op.execute(statement)
