"""What the covered part of a book says where a number of it is withheld."""

from alembic import op

revision = "risk_0011"
down_revision = "risk_0010"
branch_labels = None
depends_on = None


def _of_covered(table: str, *names: str) -> str:
    """Add a column beside each array of numbers: a number in it only where there is none in its place."""
    return f"ALTER TABLE {table} " + ", ".join(
        f"""
        ADD COLUMN {name}_of_covered double precision[],
        ADD CHECK (cardinality({name}_of_covered) = cardinality({name})),
        ADD CHECK ('NaN' <> ALL ({name}_of_covered) AND 'Infinity' <> ALL ({name}_of_covered)
            AND '-Infinity' <> ALL ({name}_of_covered))
        """
        for name in names
    )


# Null in revisions made before.
STATEMENTS = (
    """
    ALTER TABLE portfolio_factors
        ADD COLUMN beta_of_covered double precision,
        ADD COLUMN dollars_of_covered double precision,
        ADD CHECK (beta IS NULL OR beta_of_covered IS NULL),
        ADD CHECK ((dollars_of_covered IS NULL) = (beta_of_covered IS NULL))
    """,
    _of_covered("portfolio_measures", "values"),
    _of_covered("portfolio_stress", "direct", "model", "reverse_distances"),
)


def upgrade() -> None:
    """Add the columns."""
    for statement in STATEMENTS:
        op.execute(statement)
