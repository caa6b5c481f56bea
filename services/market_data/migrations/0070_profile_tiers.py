"""When what is expected of a company, and what it is, were last asked for: they grow old less soon than its value."""

from alembic import op

revision = "market_data_0070"
down_revision = "market_data_0080"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    ALTER TABLE instruments
        ADD COLUMN estimates_fetched_at timestamptz, ADD COLUMN description_fetched_at timestamptz
    """,
    "UPDATE instruments SET estimates_fetched_at = profile_fetched_at, description_fetched_at = profile_fetched_at",
)


def upgrade() -> None:
    """Add the columns; of what is there, both were asked for with the rest."""
    for statement in STATEMENTS:
        op.execute(statement)
