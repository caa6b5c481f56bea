"""Price replica, profiles, betas, books, and what is assessed from them."""

from alembic import op

from shared.bus.ddl import BUS_TABLES
from shared.prices.ddl import PRICE_TABLES

revision = "risk_0001"
down_revision = None
branch_labels = None
depends_on = None


def _finite(column: str) -> str:
    return f"CHECK ({column} <> 'NaN' AND {column} < 'Infinity' AND {column} > '-Infinity')"


TABLES = (
    """
    CREATE TABLE profiles (
        symbol text PRIMARY KEY,
        sector text,
        is_etf boolean
    )
    """,
    # The arrays are aligned with shared.conventions.FACTORS.
    """
    CREATE TABLE betas (
        symbol text NOT NULL,
        as_of date NOT NULL,
        betas double precision[] NOT NULL,
        reasons text[] NOT NULL,
        details text[] NOT NULL,
        PRIMARY KEY (symbol, as_of),
        CHECK (cardinality(betas) = cardinality(reasons) AND cardinality(betas) = cardinality(details))
    )
    """,
    # The bounds keep sums of cents far inside 64 bits.
    """
    CREATE TABLE books (
        portfolio_id uuid NOT NULL,
        as_of date NOT NULL,
        revision integer NOT NULL,
        run_id uuid NOT NULL,
        equity numeric NOT NULL,
        symbols text[] NOT NULL,
        exposures double precision[] NOT NULL,
        PRIMARY KEY (portfolio_id, as_of),
        CHECK (cardinality(symbols) = cardinality(exposures)),
        CHECK (abs(equity) < 1e13 AND 1e13 > ALL (exposures) AND -1e13 < ALL (exposures))
    )
    """,
    # A revision is complete or absent: its rows in the three tables below come and are superseded with it, so that a
    # sector which a corrected book no longer holds is not served from an older revision.
    """
    CREATE TABLE assessments (
        portfolio_id uuid NOT NULL,
        as_of date NOT NULL,
        revision integer NOT NULL,
        known_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        digest bytea NOT NULL,
        run_id uuid NOT NULL,
        equity numeric NOT NULL,
        PRIMARY KEY (portfolio_id, as_of, revision)
    )
    """,
    "CREATE INDEX assessments_by_session ON assessments (as_of, portfolio_id, revision DESC)",
    f"""
    CREATE TABLE portfolio_factors (
        portfolio_id uuid NOT NULL,
        as_of date NOT NULL,
        factor text NOT NULL,
        revision integer NOT NULL,
        beta double precision,
        dollars double precision,
        reason text,
        detail text,
        coverage double precision,
        coverage_reason text,
        coverage_detail text,
        PRIMARY KEY (portfolio_id, as_of, revision, factor),
        CHECK ((beta IS NULL) <> (reason IS NULL)),
        CHECK ((dollars IS NULL) = (beta IS NULL)),
        CHECK ((reason IS NULL) = (detail IS NULL)),
        CHECK ((coverage IS NULL) <> (coverage_reason IS NULL)),
        CHECK ((coverage_reason IS NULL) = (coverage_detail IS NULL)),
        CHECK (coverage BETWEEN 0 AND 1),
        {_finite("beta")},
        {_finite("dollars")}
    )
    """,
    f"""
    CREATE TABLE portfolio_measures (
        portfolio_id uuid NOT NULL,
        as_of date NOT NULL,
        measure text NOT NULL,
        revision integer NOT NULL,
        value double precision,
        unit text NOT NULL,
        reason text,
        detail text,
        coverage double precision,
        coverage_reason text,
        coverage_detail text,
        PRIMARY KEY (portfolio_id, as_of, revision, measure),
        CHECK ((value IS NULL) <> (reason IS NULL)),
        CHECK ((reason IS NULL) = (detail IS NULL)),
        CHECK ((coverage IS NULL) <> (coverage_reason IS NULL)),
        CHECK ((coverage_reason IS NULL) = (coverage_detail IS NULL)),
        CHECK (coverage BETWEEN 0 AND 1),
        {_finite("value")}
    )
    """,
    f"""
    CREATE TABLE portfolio_sectors (
        portfolio_id uuid NOT NULL,
        as_of date NOT NULL,
        sector text NOT NULL,
        revision integer NOT NULL,
        net numeric NOT NULL,
        gross numeric NOT NULL CHECK (gross >= abs(net)),
        net_over_equity double precision,
        gross_over_equity double precision,
        reason text,
        detail text,
        PRIMARY KEY (portfolio_id, as_of, revision, sector),
        CHECK ((net_over_equity IS NULL) <> (reason IS NULL)),
        CHECK ((gross_over_equity IS NULL) = (net_over_equity IS NULL)),
        CHECK ((reason IS NULL) = (detail IS NULL)),
        {_finite("net_over_equity")},
        {_finite("gross_over_equity")}
    )
    """,
)


def upgrade() -> None:
    """Create the tables."""
    for statement in (*BUS_TABLES, *PRICE_TABLES, *TABLES):
        op.execute(statement)
