"""How many requests a run was to need of each vendor, and how many it has made; what books hold since when."""

from alembic import op

revision = "market_data_0051"
down_revision = "market_data_0050"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE run_requests (
        run_id uuid NOT NULL,
        vendor text NOT NULL,
        estimated integer,
        requests integer NOT NULL DEFAULT 0,
        counted_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (run_id, vendor)
    )
    """,
    "CREATE INDEX run_requests_counted_at ON run_requests (counted_at)",
    """
    CREATE TABLE held_symbols (
        portfolio_id uuid NOT NULL,
        symbol text NOT NULL,
        since date NOT NULL,
        PRIMARY KEY (portfolio_id, symbol)
    )
    """,
    "CREATE INDEX held_symbols_symbol ON held_symbols (symbol)",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in TABLES:
        op.execute(statement)
