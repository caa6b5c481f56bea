"""What all processes know of the vendors: what was asked within a plan's windows, and who is not asked."""

from alembic import op

revision = "market_data_0009"
down_revision = "market_data_0008"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE vendor_windows (
        vendor text NOT NULL,
        seconds integer NOT NULL,
        began timestamptz NOT NULL,
        requests integer NOT NULL,
        PRIMARY KEY (vendor, seconds)
    )
    """,
    """
    CREATE TABLE vendor_breakers (
        vendor text NOT NULL,
        kind text NOT NULL,
        failures integer NOT NULL,
        why text NOT NULL,
        open_until timestamptz,
        PRIMARY KEY (vendor, kind)
    )
    """,
)


def upgrade() -> None:
    """Create the tables."""
    for statement in TABLES:
        op.execute(statement)
