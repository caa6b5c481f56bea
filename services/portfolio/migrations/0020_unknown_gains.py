"""Of how many positions exits gained what is not known."""

from alembic import op

revision = "portfolio_0020"
down_revision = "portfolio_0019"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE snapshots ADD COLUMN unknown_gains integer NOT NULL DEFAULT 0",
    """
    UPDATE snapshots SET unknown_gains = unknown.exits FROM (
        SELECT portfolio_id, as_of, revision, count(*) AS exits FROM position_values
        WHERE NOT splits_known AND (exit_pnl <> 0 OR realised_pnl <> 0) GROUP BY 1, 2, 3) unknown
    WHERE (snapshots.portfolio_id, snapshots.as_of, snapshots.revision)
        = (unknown.portfolio_id, unknown.as_of, unknown.revision)
    """,
    "ALTER TABLE snapshots ALTER COLUMN unknown_gains DROP DEFAULT",
)


def upgrade() -> None:
    """Create the column."""
    for statement in STATEMENTS:
        op.execute(statement)
