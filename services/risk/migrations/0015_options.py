"""What the options of a book are revalued on, and what scenarios do to it at a risen volatility."""

from alembic import op

revision = "risk_0015"
down_revision = "risk_0016"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE books ADD COLUMN options jsonb NOT NULL DEFAULT '[]'",
    # Null in revisions made before; within, of scenarios in which the market does not fall and books without options.
    """
    ALTER TABLE portfolio_stress
        ADD COLUMN at_risen_volatility double precision[],
        ADD CHECK (cardinality(at_risen_volatility) = cardinality(scenarios)),
        ADD CHECK ('NaN' <> ALL (at_risen_volatility) AND 'Infinity' <> ALL (at_risen_volatility)
            AND '-Infinity' <> ALL (at_risen_volatility))
    """,
)


def upgrade() -> None:
    """Add the columns."""
    for statement in STATEMENTS:
        op.execute(statement)
