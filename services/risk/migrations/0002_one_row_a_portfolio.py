"""Measures as one row a portfolio; stress, correlations, contributions; the moves of the factors behind them."""

from alembic import op

revision = "risk_0002"
down_revision = "risk_0001"
branch_labels = None
depends_on = None


def _value_or_reason(name: str) -> str:
    """Return checks: as many entries of each kind, a finite value or a reason in each place, a detail with a reason."""
    reasons, details = f"{name}_reasons", f"{name}_details"
    return f"""
        CHECK (cardinality({name}) = cardinality({reasons}) AND cardinality({name}) = cardinality({details})),
        CHECK (NOT array_positions({name}, NULL) && array_positions({reasons}, NULL)),
        CHECK (cardinality(array_positions({name}, NULL)) + cardinality(array_positions({reasons}, NULL))
            = cardinality({name})),
        CHECK (array_positions({reasons}, NULL) = array_positions({details}, NULL)),
        {_finite(name)}
    """


def _finite(name: str) -> str:
    return f"CHECK ('NaN' <> ALL ({name}) AND 'Infinity' <> ALL ({name}) AND '-Infinity' <> ALL ({name}))"


_KEY = """
        portfolio_id uuid NOT NULL,
        as_of date NOT NULL,
        revision integer NOT NULL,
        PRIMARY KEY (portfolio_id, as_of, revision)"""

STATEMENTS = (
    "ALTER TABLE assessments ADD COLUMN code_version integer NOT NULL DEFAULT 1",
    "ALTER TABLE assessments ALTER COLUMN code_version DROP DEFAULT",
    "ALTER TABLE portfolio_measures RENAME TO measures_by_row",
    f"""
    CREATE TABLE portfolio_measures ({_KEY},
        measures text[] NOT NULL,
        values double precision[] NOT NULL,
        values_reasons text[] NOT NULL,
        values_details text[] NOT NULL,
        coverages double precision[] NOT NULL,
        coverages_reasons text[] NOT NULL,
        coverages_details text[] NOT NULL,
        observations integer[] NOT NULL,
        window_sessions integer[] NOT NULL,
        CHECK (cardinality(measures) = cardinality(values) AND cardinality(measures) = cardinality(coverages)),
        CHECK (cardinality(measures) = cardinality(observations)),
        CHECK (cardinality(measures) = cardinality(window_sessions)),
        CHECK (0 <= ALL (coverages) AND 1 >= ALL (coverages)),
        {_value_or_reason("values")},
        {_value_or_reason("coverages")}
    )
    """,
    """
    INSERT INTO portfolio_measures (portfolio_id, as_of, revision, measures, values, values_reasons, values_details,
        coverages, coverages_reasons, coverages_details, observations, window_sessions)
    SELECT portfolio_id, as_of, revision, array_agg(measure ORDER BY measure), array_agg(value ORDER BY measure),
        array_agg(reason ORDER BY measure), array_agg(detail ORDER BY measure), array_agg(coverage ORDER BY measure),
        array_agg(coverage_reason ORDER BY measure), array_agg(coverage_detail ORDER BY measure),
        array_agg(CASE WHEN value IS NULL THEN 0 ELSE n END ORDER BY measure),
        array_agg(CASE WHEN value IS NULL THEN 0 ELSE n END ORDER BY measure)
    FROM measures_by_row,
        LATERAL (SELECT CASE measure WHEN 'volatility_21d' THEN 21 WHEN 'volatility_63d' THEN 63 ELSE 0 END) s (n)
    GROUP BY portfolio_id, as_of, revision
    """,
    "DROP TABLE measures_by_row",
    f"""
    CREATE TABLE portfolio_stress ({_KEY},
        moves_digest bytea NOT NULL,
        scenarios text[] NOT NULL,
        direct double precision[] NOT NULL,
        direct_reasons text[] NOT NULL,
        direct_details text[] NOT NULL,
        propagated double precision[] NOT NULL,
        propagated_reasons text[] NOT NULL,
        propagated_details text[] NOT NULL,
        coverages double precision[] NOT NULL,
        coverages_reasons text[] NOT NULL,
        coverages_details text[] NOT NULL,
        beyond_gross boolean[] NOT NULL,
        CHECK (cardinality(scenarios) = cardinality(direct) AND cardinality(scenarios) = cardinality(propagated)),
        CHECK (cardinality(scenarios) = cardinality(coverages) AND cardinality(scenarios) = cardinality(beyond_gross)),
        {_value_or_reason("direct")},
        {_value_or_reason("propagated")},
        {_value_or_reason("coverages")}
    )
    """,
    # The part of the matrix above the diagonal, row by row; null for a pair with too few common sessions.
    f"""
    CREATE TABLE portfolio_correlations ({_KEY},
        symbols text[] NOT NULL,
        correlations double precision[] NOT NULL,
        clip double precision NOT NULL CHECK (clip BETWEEN 0 AND 2),
        missing_pairs integer NOT NULL,
        clusters integer[] NOT NULL,
        cluster_names text[] NOT NULL,
        CHECK (cardinality(correlations) = cardinality(symbols) * (cardinality(symbols) - 1) / 2),
        CHECK (cardinality(array_positions(correlations, NULL)) = missing_pairs),
        CHECK (cardinality(clusters) = cardinality(symbols)),
        CHECK (-1 <= ALL (correlations) AND 1 >= ALL (correlations)),
        {_finite("correlations")}
    )
    """,
    # Null where the model says nothing: for the reason of the measure model_volatility, or the holding is not in it.
    f"""
    CREATE TABLE portfolio_contributions ({_KEY},
        factors text[] NOT NULL,
        by_factor double precision[] NOT NULL,
        by_specific double precision,
        symbols text[] NOT NULL,
        weights double precision[] NOT NULL,
        by_holding double precision[] NOT NULL,
        marginal double precision[] NOT NULL,
        CHECK (cardinality(by_factor) = cardinality(factors)),
        CHECK (cardinality(weights) = cardinality(symbols) AND cardinality(by_holding) = cardinality(symbols)),
        CHECK (array_positions(by_holding, NULL) = array_positions(marginal, NULL)),
        {_finite("by_factor")},
        {_finite("weights")},
        {_finite("by_holding")},
        {_finite("marginal")},
        CHECK (by_specific >= 0 AND by_specific < 'Infinity')
    )
    """,
    # The same for every portfolio of a session: found by the digest of what they were made of.
    f"""
    CREATE TABLE factor_moves (
        as_of date NOT NULL,
        digest bytea NOT NULL,
        known_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        factors text[] NOT NULL,
        proxies text[] NOT NULL,
        reasons text[] NOT NULL,
        details text[] NOT NULL,
        covariance double precision[] NOT NULL,
        correlated text[] NOT NULL,
        correlations double precision[] NOT NULL,
        largest double precision[] NOT NULL,
        scenarios text[] NOT NULL,
        basis text[] NOT NULL,
        shocks double precision[] NOT NULL,
        moves double precision[] NOT NULL,
        extrapolated boolean[] NOT NULL,
        PRIMARY KEY (as_of, digest),
        CHECK (NOT array_positions(largest, NULL) && array_positions(reasons, NULL)),
        {_finite("covariance")},
        {_finite("correlations")},
        {_finite("largest")},
        {_finite("shocks")},
        {_finite("moves")}
    )
    """,
)


def upgrade() -> None:
    """Create the tables and carry the measures over."""
    for statement in STATEMENTS:
        op.execute(statement)
