"""Stress by the factor model in the place of the propagated one."""

from alembic import op

revision = "risk_0007"
down_revision = "risk_0006"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Rows of versions of the code before the third keep the figures that they had.
    "ALTER TABLE portfolio_stress RENAME COLUMN propagated TO model",
    "ALTER TABLE portfolio_stress RENAME COLUMN propagated_reasons TO model_reasons",
    "ALTER TABLE portfolio_stress RENAME COLUMN propagated_details TO model_details",
    # Null in those rows; an entry is null where the P&L is.
    """
    ALTER TABLE portfolio_stress
        ADD COLUMN extrapolated_shares double precision[],
        ADD COLUMN realised_shares double precision[],
        ADD CHECK (cardinality(extrapolated_shares) = cardinality(scenarios)),
        ADD CHECK (cardinality(realised_shares) = cardinality(scenarios)),
        ADD CHECK (0 <= ALL (extrapolated_shares) AND 1 >= ALL (extrapolated_shares)),
        ADD CHECK (0 <= ALL (realised_shares) AND 1 >= ALL (realised_shares))
    """,
)


def upgrade() -> None:
    """Rename the columns and add the shares."""
    for statement in STATEMENTS:
        op.execute(statement)
