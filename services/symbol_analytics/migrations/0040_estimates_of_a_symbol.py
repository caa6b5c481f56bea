"""One row a symbol and session for its factor estimates, with an array for each thing that is said of them.

Thirteen rows a symbol were three fifths of all rows of a night and more than a quarter of its bytes.
"""

from alembic import op

revision = "symbol_analytics_0040"
down_revision = "symbol_analytics_0013"
branch_labels = None
depends_on = None

# The places of the arrays.
FACTORS = (
    *("value", "growth", "momentum", "quality", "size", "low_volatility"),
    *("growth_value_spread", "momentum_spread", "size_spread", "quality_spread"),
    *("market_beta", "rate_beta", "provider_beta"),
)


def _finite(name: str) -> str:
    return f"CHECK ('NaN' <> ALL ({name}) AND 'Infinity' <> ALL ({name}) AND '-Infinity' <> ALL ({name}))"


def _as_long(name: str) -> str:
    return f"CHECK (cardinality({name}) = cardinality(betas))"


ESTIMATES = f"""
    CREATE TABLE symbol_estimates (
        symbol text NOT NULL,
        as_of date NOT NULL,
        revision integer NOT NULL,
        known_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        digest bytea NOT NULL,
        code_version integer NOT NULL,
        run_id uuid NOT NULL,
        factor_set_id integer NOT NULL,
        methods text[] NOT NULL {_as_long("methods")},
        betas double precision[] NOT NULL {_finite("betas")},
        reasons text[] NOT NULL {_as_long("reasons")},
        details text[] NOT NULL {_as_long("details")},
        capped boolean[] NOT NULL {_as_long("capped")},
        r_squared double precision[] NOT NULL {_as_long("r_squared")},
        std_errors double precision[] NOT NULL {_as_long("std_errors")},
        p_values double precision[] NOT NULL {_as_long("p_values")},
        n_observations integer[] NOT NULL {_as_long("n_observations")},
        first_sessions date[] NOT NULL {_as_long("first_sessions")},
        last_sessions date[] NOT NULL {_as_long("last_sessions")},
        source text,
        source_date date,
        PRIMARY KEY (as_of, symbol, revision),
        CHECK (NOT array_positions(betas, NULL) && array_positions(reasons, NULL)),
        CHECK (cardinality(array_positions(betas, NULL)) + cardinality(array_positions(reasons, NULL))
            = cardinality(betas)),
        CHECK (array_positions(reasons, NULL) = array_positions(details, NULL))
    )
    """


def _each(value: str) -> str:
    return f"array_agg({value} ORDER BY place)"


# What was computed together has one digest and one run, whatever its revisions: a factor that came later began at 1.
def gathered(rows: str, *, which: str) -> str:
    """Return the query of symbols' rows from one row a factor; of a factor that has none it is said."""
    places = ", ".join(f"('{factor}', {place})" for place, factor in enumerate(FACTORS))
    return f"""
        WITH chosen AS (SELECT * FROM {rows} WHERE {which}),
        computed AS (
            SELECT symbol, as_of, digest, run_id, max(revision) AS revision, min(known_at) AS known_at,
                max(code_version) AS code_version, max(factor_set_id) AS factor_set_id,
                max(source) AS source, max(source_date) AS source_date
            FROM chosen GROUP BY symbol, as_of, digest, run_id
        )
        SELECT c.symbol, c.as_of, c.revision, c.known_at, c.digest, c.code_version, c.run_id, c.factor_set_id,
            {_each("coalesce(f.method, 'none')")} AS methods, {_each("f.beta")} AS betas,
            {_each("CASE WHEN f.factor IS NULL THEN 'MISSING_DATA' ELSE f.reason END")} AS reasons,
            {_each("CASE WHEN f.factor IS NULL THEN 'stored before this number was computed' ELSE f.detail END")}
                AS details,
            {_each("coalesce(f.capped, false)")} AS capped, {_each("f.r_squared")} AS r_squared,
            {_each("f.std_error")} AS std_errors, {_each("f.p_value")} AS p_values,
            {_each("coalesce(f.n_observations, 0)")} AS n_observations,
            {_each("f.first_session")} AS first_sessions, {_each("f.last_session")} AS last_sessions,
            c.source, c.source_date
        FROM computed c CROSS JOIN (VALUES {places}) AS p (factor, place)
        LEFT JOIN chosen f USING (symbol, as_of, digest, run_id, factor)
        GROUP BY c.symbol, c.as_of, c.revision, c.known_at, c.digest, c.code_version, c.run_id, c.factor_set_id,
            c.source, c.source_date
    """


COLUMNS = (
    "symbol, as_of, revision, known_at, digest, code_version, run_id, factor_set_id, methods, betas, reasons, details, "
    "capped, r_squared, std_errors, p_values, n_observations, first_sessions, last_sessions, source, source_date"
)
CARRY_OVER = f"""
    DO $$
    DECLARE
        day date;
    BEGIN
        FOR day IN SELECT DISTINCT as_of FROM symbol_factors LOOP
            INSERT INTO symbol_estimates ({COLUMNS}) {gathered("symbol_factors", which="as_of = day")};
        END LOOP;
    END $$
"""
# What code of the version before goes on to write becomes the next revision, if it is none that is known.
FOLLOW = f"""
    CREATE FUNCTION follow_symbol_factors() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO symbol_estimates ({COLUMNS})
        SELECT {COLUMNS.replace("revision", "coalesce(latest.number, 0) + 1")}
        FROM ({gathered("added", which="true")}) g LEFT JOIN LATERAL (
            SELECT e.revision AS number, e.digest AS said FROM symbol_estimates e
            WHERE e.as_of = g.as_of AND e.symbol = g.symbol ORDER BY e.revision DESC LIMIT 1
        ) latest ON true
        WHERE latest.said IS DISTINCT FROM g.digest;
        RETURN NULL;
    END $$
"""
FOLLOWING = """
    CREATE TRIGGER follow_symbol_factors AFTER INSERT ON symbol_factors REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION follow_symbol_factors()
"""
# What was written while the rows were carried over and nothing followed yet; a transaction takes minutes at most.
LATE = f"""
    INSERT INTO symbol_estimates ({COLUMNS})
    {gathered("symbol_factors", which="known_at > transaction_timestamp() - interval '1 hour'")}
    ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    """Carry the rows over, and let the new table follow the old one for as long as code of before writes there."""
    for statement in (ESTIMATES, CARRY_OVER, FOLLOW, FOLLOWING, LATE):
        op.execute(statement)
