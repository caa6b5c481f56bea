"""Price replica, profiles, factor estimates and daily metrics."""

from alembic import op

from shared.bus.ddl import BUS_TABLES
from shared.prices.ddl import PRICE_TABLES

revision = "symbol_analytics_0001"
down_revision = None
branch_labels = None
depends_on = None

HORIZONS = ("1d", "5d", "1m", "3m", "6m", "1y", "mtd", "qtd", "ytd")
METRICS = (
    *(f"price_return_{horizon}" for horizon in HORIZONS),
    *(f"total_return_{horizon}" for horizon in HORIZONS),
    *(f"volatility_{window}d" for window in (21, 63, 252)),
)
METRIC_COLUMNS = ",\n        ".join(
    f"{name} double precision, CHECK (({name} IS NULL) = (unavailable ? '{name}'))" for name in METRICS
)

TABLES = (
    """
    CREATE TABLE profiles (
        symbol text PRIMARY KEY,
        beta double precision,
        beta_as_of date,
        source text NOT NULL
    )
    """,
    """
    CREATE TABLE factor_sets (
        factor_set_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        definition jsonb NOT NULL UNIQUE
    )
    """,
    """
    CREATE TABLE symbol_factors (
        symbol text NOT NULL,
        as_of date NOT NULL,
        factor text NOT NULL,
        revision integer NOT NULL,
        known_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        digest bytea NOT NULL,
        run_id uuid NOT NULL,
        factor_set_id integer NOT NULL REFERENCES factor_sets,
        method text NOT NULL,
        beta double precision,
        reason text,
        detail text,
        capped boolean NOT NULL,
        r_squared double precision,
        std_error double precision,
        p_value double precision,
        n_observations integer NOT NULL,
        first_session date,
        last_session date,
        source text,
        source_date date,
        PRIMARY KEY (as_of, symbol, factor, revision),
        CHECK ((beta IS NULL) <> (reason IS NULL)),
        CHECK ((reason IS NULL) = (detail IS NULL)),
        CHECK (beta <> 'NaN' AND beta < 'Infinity' AND beta > '-Infinity')
    )
    """,
    f"""
    CREATE TABLE symbol_metrics (
        symbol text NOT NULL,
        as_of date NOT NULL,
        revision integer NOT NULL,
        known_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        digest bytea NOT NULL,
        run_id uuid NOT NULL,
        unavailable jsonb NOT NULL,
        {METRIC_COLUMNS},
        PRIMARY KEY (as_of, symbol, revision)
    )
    """,
    "CREATE INDEX symbol_metrics_of_symbol ON symbol_metrics (symbol, as_of)",
)


def upgrade() -> None:
    """Create the tables."""
    for statement in (*BUS_TABLES, *PRICE_TABLES, *TABLES):
        # The driver would take a `?` that follows a colon-less name as it is; only `:name` is a parameter.
        op.execute(statement)
