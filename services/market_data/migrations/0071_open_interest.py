"""How many contracts of options are open."""

from alembic import op

revision = "market_data_0071"
down_revision = "market_data_0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(
        """
        CREATE TABLE open_interest (
            symbol text NOT NULL,
            session date NOT NULL,
            contracts bigint NOT NULL CHECK (contracts >= 0),
            source text NOT NULL,
            fetched_at timestamptz NOT NULL,
            PRIMARY KEY (symbol, session)
        )
        """
    )
