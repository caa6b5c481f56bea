"""The volatility that an option's own close implies, and its greeks beside delta."""

from alembic import op

revision = "portfolio_0021"
down_revision = "portfolio_0020"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    ALTER TABLE position_values
        ADD COLUMN implied_volatility double precision
            CHECK (implied_volatility >= 0 AND implied_volatility < 'Infinity'),
        ADD COLUMN implied_volatility_reason text,
        ADD COLUMN implied_volatility_detail text,
        ADD COLUMN gamma double precision CHECK (gamma >= 0 AND gamma < 'Infinity'),
        ADD COLUMN vega double precision CHECK (vega >= 0 AND vega < 'Infinity'),
        ADD COLUMN theta double precision CHECK (theta > '-Infinity' AND theta < 'Infinity'),
        ADD COLUMN rho double precision CHECK (rho > '-Infinity' AND rho < 'Infinity')
    """,
    """
    ALTER TABLE position_values
        ADD CHECK (implied_volatility IS NULL OR implied_volatility_reason IS NULL),
        ADD CHECK ((implied_volatility_reason IS NULL) = (implied_volatility_detail IS NULL)),
        ADD CHECK (underlying IS NOT NULL OR (implied_volatility IS NULL AND implied_volatility_reason IS NULL)),
        ADD CHECK (num_nonnulls(gamma, vega, theta, rho) IN (0, 4)),
        ADD CHECK (gamma IS NULL OR delta IS NOT NULL)
    """,
)


def upgrade() -> None:
    """Add the columns; of what is there, nothing was implied."""
    for statement in STATEMENTS:
        op.execute(statement)
