"""Sector weights of benchmarks, and portfolios against them."""

from alembic import op

revision = "risk_0003"
down_revision = "risk_0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE benchmarks (
        benchmark text NOT NULL,
        as_of date NOT NULL,
        sectors text[] NOT NULL,
        weights double precision[] NOT NULL,
        PRIMARY KEY (benchmark, as_of),
        CHECK (cardinality(sectors) = cardinality(weights) AND array_positions(weights, NULL) = '{}'),
        CHECK (0 <= ALL (weights) AND 1 >= ALL (weights))
    )
    """,
    # Null where there is no weight to compare with: funds, and what is unclassified.
    """
    CREATE TABLE portfolio_active_sectors (
        portfolio_id uuid NOT NULL,
        as_of date NOT NULL,
        revision integer NOT NULL,
        benchmark text,
        benchmark_as_of date,
        sectors text[] NOT NULL,
        weights double precision[] NOT NULL,
        active double precision[] NOT NULL,
        reason text,
        detail text,
        PRIMARY KEY (portfolio_id, as_of, revision),
        CHECK (cardinality(sectors) = cardinality(weights) AND cardinality(sectors) = cardinality(active)),
        CHECK ((benchmark IS NULL) = (benchmark_as_of IS NULL)),
        CHECK ((reason IS NULL) = (detail IS NULL)),
        CHECK (reason IS NOT NULL OR array_positions(weights, NULL) = array_positions(active, NULL)),
        CHECK (reason IS NULL OR cardinality(array_positions(active, NULL)) = cardinality(active)),
        CHECK ('NaN' <> ALL (active) AND 'Infinity' <> ALL (active) AND '-Infinity' <> ALL (active))
    )
    """,
)


def upgrade() -> None:
    """Create the tables."""
    for statement in STATEMENTS:
        op.execute(statement)
