"""The loadings of symbols on the factors of the coherent model."""

from alembic import op

revision = "symbol_analytics_0006"
down_revision = "symbol_analytics_0005"
branch_labels = None
depends_on = None


def _finite(name: str) -> str:
    return f"CHECK ('NaN' <> ALL ({name}) AND 'Infinity' <> ALL ({name}) AND '-Infinity' <> ALL ({name}))"


# The arrays are aligned with shared.conventions.RISK_FACTORS; null for a factor without proxy.
LOADINGS = f"""
    CREATE TABLE symbol_loadings (
        symbol text NOT NULL,
        as_of date NOT NULL,
        revision integer NOT NULL,
        known_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        digest bytea NOT NULL,
        code_version integer NOT NULL,
        run_id uuid NOT NULL,
        factor_set_id integer NOT NULL REFERENCES factor_sets,
        loadings double precision[] NOT NULL,
        std_errors double precision[] NOT NULL,
        r_squared double precision,
        specific_volatility double precision,
        reason text,
        detail text,
        n_observations integer NOT NULL,
        first_session date,
        last_session date,
        PRIMARY KEY (as_of, symbol, revision),
        CHECK ((specific_volatility IS NULL) <> (reason IS NULL)),
        CHECK ((r_squared IS NULL) = (specific_volatility IS NULL)),
        CHECK ((reason IS NULL) = (detail IS NULL)),
        CHECK (array_positions(loadings, NULL) = array_positions(std_errors, NULL)),
        CHECK (specific_volatility >= 0 AND specific_volatility < 'Infinity'),
        {_finite("loadings")},
        {_finite("std_errors")}
    )
    """


def upgrade() -> None:
    """Create the table."""
    op.execute(LOADINGS)
