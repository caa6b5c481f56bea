"""Instruments, bars, profiles and findings."""

from alembic import op

from shared.bus.ddl import BUS_TABLES

revision = "market_data_0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    # checked_*: the sessions in between are settled, stored or known not to exist in that edition of the providers.
    """
    CREATE TABLE instruments (
        symbol_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        symbol text NOT NULL UNIQUE,
        checked_first date,
        checked_through date,
        checked_edition text,
        unavailable_reason text,
        unavailable_detail text,
        added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CHECK ((checked_first IS NULL) = (checked_through IS NULL)),
        CHECK ((unavailable_reason IS NULL) = (unavailable_detail IS NULL))
    )
    """,
    """
    CREATE TABLE bars (
        symbol_id integer NOT NULL REFERENCES instruments,
        session date NOT NULL,
        close double precision NOT NULL CHECK (close > 0 AND close < 'Infinity'),
        adjusted double precision NOT NULL CHECK (adjusted > 0 AND adjusted < 'Infinity'),
        open double precision,
        high double precision,
        low double precision,
        volume double precision,
        split double precision NOT NULL CHECK (split > 0),
        dividend double precision NOT NULL CHECK (dividend >= 0),
        source text NOT NULL,
        fetched_at timestamptz NOT NULL,
        PRIMARY KEY (symbol_id, session)
    )
    """,
    """
    CREATE TABLE profiles (
        symbol text PRIMARY KEY,
        name text,
        sector text,
        industry text,
        country text,
        exchange text,
        currency text,
        is_etf boolean,
        market_cap double precision,
        shares_outstanding double precision,
        beta double precision,
        beta_as_of date,
        pe_ratio double precision,
        forward_pe double precision,
        dividend_yield double precision,
        week_52_high double precision,
        week_52_low double precision,
        source text NOT NULL
    )
    """,
    """
    CREATE TABLE findings (
        finding_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        provider text NOT NULL,
        rule text NOT NULL,
        symbol text,
        day date,
        file text,
        line integer,
        detail text NOT NULL,
        run_id uuid NOT NULL,
        found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        UNIQUE NULLS NOT DISTINCT (provider, rule, symbol, day, file, line, detail)
    )
    """,
)


def upgrade() -> None:
    """Create the tables."""
    for statement in (*BUS_TABLES, *TABLES):
        op.execute(statement)
