"""Portfolios, their positions and flows, snapshots and position values."""

from alembic import op

from shared.bus.ddl import BUS_TABLES
from shared.prices.ddl import PRICE_TABLES

revision = "portfolio_0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE portfolios (
        portfolio_id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        opened_on date NOT NULL,
        opening_equity numeric(20, 2) NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    """
    CREATE TABLE positions (
        position_id uuid PRIMARY KEY,
        portfolio_id uuid NOT NULL REFERENCES portfolios,
        symbol text NOT NULL,
        kind text NOT NULL,
        quantity numeric(20, 6) NOT NULL CHECK (quantity <> 0),
        entry_date date NOT NULL,
        entry_price numeric(16, 4) NOT NULL CHECK (entry_price > 0),
        subtype text,
        underlying text,
        strike numeric(16, 4),
        expiration date,
        added_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    "CREATE INDEX positions_of_portfolio ON positions (portfolio_id, symbol)",
    """
    CREATE TABLE position_exits (
        exit_id uuid PRIMARY KEY,
        position_id uuid NOT NULL REFERENCES positions,
        exit_date date NOT NULL,
        price numeric(16, 4) NOT NULL CHECK (price > 0),
        quantity numeric(20, 6) CHECK (quantity > 0)
    )
    """,
    "CREATE INDEX exits_of_position ON position_exits (position_id, exit_date)",
    """
    CREATE TABLE flows (
        flow_id uuid PRIMARY KEY,
        portfolio_id uuid NOT NULL REFERENCES portfolios,
        flow_date date NOT NULL,
        amount numeric(20, 2) NOT NULL CHECK (amount <> 0),
        added_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    "CREATE INDEX flows_of_portfolio ON flows (portfolio_id, flow_date)",
    """
    CREATE TABLE profiles (
        symbol text PRIMARY KEY,
        sector text,
        is_etf boolean
    )
    """,
    # A request for the same book and session joins the one that is under way.
    """
    CREATE TABLE calculations (
        run_id uuid PRIMARY KEY,
        portfolio_id uuid NOT NULL REFERENCES portfolios,
        kind text NOT NULL,
        last_session date NOT NULL,
        book_digest text NOT NULL,
        requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        finished_at timestamptz
    )
    """,
    """
    CREATE UNIQUE INDEX calculations_one_active ON calculations (portfolio_id, kind, last_session, book_digest)
    WHERE finished_at IS NULL
    """,
    # From which session on the prices of a symbol have changed after a snapshot was taken of them.
    """
    CREATE TABLE price_changes (
        symbol_id integer NOT NULL REFERENCES price_symbols,
        first_session date NOT NULL,
        written_by bigint NOT NULL,
        PRIMARY KEY (symbol_id, written_by)
    )
    """,
    """
    CREATE TABLE snapshots (
        portfolio_id uuid NOT NULL REFERENCES portfolios,
        as_of date NOT NULL,
        revision integer NOT NULL,
        known_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        digest text NOT NULL,
        run_id uuid NOT NULL,
        prices_seen_below bigint NOT NULL,
        equity numeric(20, 2) NOT NULL,
        pnl numeric(20, 2) NOT NULL,
        flow numeric(20, 2) NOT NULL,
        cash numeric(20, 2) NOT NULL,
        long_value numeric(20, 2) NOT NULL,
        short_value numeric(20, 2) NOT NULL,
        gross numeric(20, 2) NOT NULL,
        net numeric(20, 2) NOT NULL,
        exit_pnl numeric(20, 2) NOT NULL,
        realised_pnl numeric(20, 2) NOT NULL,
        dividends numeric(20, 2) NOT NULL,
        positions integer NOT NULL,
        long_positions integer NOT NULL,
        short_positions integer NOT NULL,
        stale_positions integer NOT NULL,
        at_cost_positions integer NOT NULL,
        daily_return double precision,
        daily_return_reason text,
        daily_return_detail text,
        twr_index double precision,
        twr_index_reason text,
        twr_index_detail text,
        PRIMARY KEY (portfolio_id, as_of, revision),
        CHECK ((daily_return IS NULL) = (daily_return_reason IS NOT NULL)),
        CHECK ((twr_index IS NULL) = (twr_index_reason IS NOT NULL)),
        CHECK (cash = equity - net AND net = long_value + short_value AND gross = long_value - short_value)
    )
    """,
    "CREATE INDEX snapshots_by_session ON snapshots (as_of, portfolio_id)",
    # Written in one transaction with its snapshot, from positions locked meanwhile: foreign keys would check every row
    # of every night for what cannot happen.
    """
    CREATE TABLE position_values (
        portfolio_id uuid NOT NULL,
        as_of date NOT NULL,
        revision integer NOT NULL,
        position_id uuid NOT NULL,
        symbol text NOT NULL,
        sector text NOT NULL,
        quantity double precision NOT NULL,
        mark double precision NOT NULL CHECK (mark > 0 AND mark < 'Infinity'),
        mark_source text NOT NULL,
        mark_age integer NOT NULL,
        market_value numeric(20, 2) NOT NULL,
        cost numeric(20, 2) NOT NULL,
        pnl numeric(20, 2) NOT NULL,
        exit_pnl numeric(20, 2) NOT NULL,
        realised_pnl numeric(20, 2) NOT NULL,
        dividends numeric(20, 2) NOT NULL,
        oversold boolean NOT NULL,
        PRIMARY KEY (portfolio_id, as_of, revision, position_id)
    )
    """,
)


def upgrade() -> None:
    """Create the tables."""
    for statement in (*BUS_TABLES, *PRICE_TABLES, *TABLES):
        op.execute(statement)
