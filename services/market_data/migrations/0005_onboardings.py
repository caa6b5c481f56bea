"""Runs that a service has asked for and that have not ended: which are under way, and the shards of those that wait."""

from alembic import op

revision = "market_data_0005"
down_revision = "market_data_0004"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE onboardings (
        run_id uuid PRIMARY KEY,
        asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        shards jsonb NOT NULL,
        begun_at timestamptz
    )
    """,
)


def upgrade() -> None:
    """Create the table."""
    for statement in TABLES:
        op.execute(statement)
