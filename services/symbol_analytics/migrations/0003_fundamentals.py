"""Statements and dated figures of profiles; ratios, betas, windows and the version of the code beside the metrics."""

from alembic import op

revision = "symbol_analytics_0003"
down_revision = "symbol_analytics_0002"
branch_labels = None
depends_on = None

ITEMS = (
    *("total_revenue", "ebitda", "net_income", "diluted_average_shares", "total_stockholders_equity", "net_debt"),
    "dividends_paid",
)
RATIOS = ("market_cap", "pe_ratio", "pb_ratio", "ps_ratio", "ev_to_ebitda", "dividend_yield")
BETAS = tuple(
    f"factor_{factor}"
    for factor in (
        *("value", "growth", "momentum", "quality", "size", "low_volatility", "growth_value_spread"),
        *("momentum_spread", "size_spread", "quality_spread", "market_beta", "rate_beta", "provider_beta"),
    )
)
HORIZONS = ("1d", "5d", "1m", "3m", "6m", "1y", "mtd", "qtd", "ytd")
FROM_PRICES = (
    *(f"price_return_{horizon}" for horizon in HORIZONS),
    *(f"total_return_{horizon}" for horizon in HORIZONS),
    *(f"volatility_{window}d" for window in (21, 63, 252)),
)
NOT_STORED_THEN = "stored before this number was computed"


def _finite(column: str) -> str:
    return f"CHECK ({column} > '-Infinity' AND {column} < 'Infinity')"


ITEM_COLUMNS = ",\n        ".join(f"{item} double precision {_finite(item)}" for item in ITEMS)
UNKNOWN = ", ".join(f"'{name}', jsonb_build_array('MISSING_DATA', '{NOT_STORED_THEN}')" for name in (*RATIOS, *BETAS))
VALUES = ", ".join(f"ADD COLUMN {name} double precision {_finite(name)}" for name in (*RATIOS, *BETAS))
ORIGINS = ", ".join(
    f"ADD COLUMN {ratio}_basis text, ADD COLUMN {ratio}_period_end date, "
    f"ADD CHECK (({ratio} IS NULL) = ({ratio}_basis IS NULL) AND ({ratio} IS NULL) = ({ratio}_period_end IS NULL))"
    for ratio in RATIOS
)
REASONS = ", ".join(f"ADD CHECK (({name} IS NULL) = (unavailable ? '{name}'))" for name in (*RATIOS, *BETAS))

STATEMENTS = (
    f"""
    CREATE TABLE statements (
        symbol text NOT NULL,
        statement text NOT NULL,
        frequency text NOT NULL,
        period_end date NOT NULL,
        revision integer NOT NULL,
        published_on date,
        counts_from date NOT NULL,
        currency text,
        source text NOT NULL,
        {ITEM_COLUMNS},
        PRIMARY KEY (symbol, statement, frequency, period_end, revision)
    )
    """,
    f"""
    CREATE TABLE profile_figures (
        symbol text NOT NULL,
        figure text NOT NULL,
        counts_from date NOT NULL,
        value double precision NOT NULL {_finite("value")},
        source text NOT NULL,
        fetched_at timestamptz NOT NULL,
        PRIMARY KEY (symbol, figure, counts_from)
    )
    """,
    """
    INSERT INTO profile_figures (symbol, figure, counts_from, value, source, fetched_at)
    SELECT symbol, 'beta', beta_as_of, beta, source, '-infinity' FROM profiles
    WHERE beta IS NOT NULL AND beta_as_of IS NOT NULL
    """,
    """
    ALTER TABLE profiles DROP COLUMN beta, DROP COLUMN beta_as_of, DROP COLUMN source,
        ADD COLUMN currency text, ADD COLUMN is_fund boolean NOT NULL DEFAULT false,
        ADD COLUMN fetched_at timestamptz NOT NULL DEFAULT '-infinity'
    """,
    "ALTER TABLE profiles ALTER COLUMN is_fund DROP DEFAULT, ALTER COLUMN fetched_at DROP DEFAULT",
    "ALTER TABLE symbol_factors ADD COLUMN code_version integer NOT NULL DEFAULT 1",
    "ALTER TABLE symbol_factors ALTER COLUMN code_version DROP DEFAULT",
    f"""
    ALTER TABLE symbol_metrics ADD COLUMN code_version integer NOT NULL DEFAULT 1,
        ADD COLUMN n_observations integer[], ADD COLUMN first_sessions date[],
        {VALUES}, {ORIGINS}
    """,
    "ALTER TABLE symbol_metrics ALTER COLUMN code_version DROP DEFAULT",
    f"UPDATE symbol_metrics SET unavailable = unavailable || jsonb_build_object({UNKNOWN})",
    f"ALTER TABLE symbol_metrics {REASONS}, {', '.join(f'ADD {_finite(name)}' for name in FROM_PRICES)}",
)


def upgrade() -> None:
    """Create the tables and carry the betas over; what is stored says that it has no ratios and no betas."""
    for statement in STATEMENTS:
        op.execute(statement)
