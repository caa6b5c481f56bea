"""What vendors are known not to have of a symbol, by kind, and when they are asked again."""

from alembic import op

revision = "market_data_0050"
down_revision = "market_data_0062"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE absences (
        symbol text NOT NULL,
        kind text NOT NULL,
        vendor text NOT NULL,
        lacking text NOT NULL,
        times integer NOT NULL,
        since timestamptz NOT NULL,
        retry_at timestamptz,
        detail text NOT NULL,
        PRIMARY KEY (symbol, kind, vendor)
    )
    """,
)


def upgrade() -> None:
    """Create the table."""
    for statement in TABLES:
        op.execute(statement)
