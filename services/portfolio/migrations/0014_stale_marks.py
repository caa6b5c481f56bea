"""How much of a book is at carried marks, and how old the oldest is."""

from alembic import op

revision = "portfolio_0014"
down_revision = "portfolio_0013"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    ALTER TABLE snapshots ADD COLUMN stale_gross numeric(20, 2) NOT NULL DEFAULT 0,
        ADD COLUMN oldest_mark integer NOT NULL DEFAULT 0
    """,
    """
    UPDATE snapshots SET stale_gross = carried.gross, oldest_mark = carried.oldest FROM (
        SELECT portfolio_id, as_of, revision, sum(abs(market_value)) AS gross, max(mark_age) AS oldest
        FROM position_values WHERE mark_source = 'CARRIED' AND quantity <> 0 GROUP BY 1, 2, 3) carried
    WHERE (snapshots.portfolio_id, snapshots.as_of, snapshots.revision)
        = (carried.portfolio_id, carried.as_of, carried.revision)
    """,
    "ALTER TABLE snapshots ALTER COLUMN stale_gross DROP DEFAULT, ALTER COLUMN oldest_mark DROP DEFAULT",
)


def upgrade() -> None:
    """Create the columns."""
    for statement in STATEMENTS:
        op.execute(statement)
