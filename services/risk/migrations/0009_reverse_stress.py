"""Reverse stress beside the scenarios."""

from alembic import op

revision = "risk_0009"
down_revision = "risk_0008"
branch_labels = None
depends_on = None

# Null in revisions made before. By loss: a distance or a reason; then a place for each factor, and for each session.
REVERSE = """
    ALTER TABLE portfolio_stress
        ADD COLUMN reverse_losses double precision[],
        ADD COLUMN reverse_distances double precision[],
        ADD COLUMN reverse_distances_reasons text[],
        ADD COLUMN reverse_distances_details text[],
        ADD COLUMN reverse_moves double precision[],
        ADD COLUMN reverse_deviations double precision[],
        ADD COLUMN nearest_sessions date[],
        ADD COLUMN nearest_returns double precision[],
        ADD CHECK (cardinality(reverse_distances) = cardinality(reverse_losses)),
        ADD CHECK (NOT array_positions(reverse_distances, NULL) && array_positions(reverse_distances_reasons, NULL)),
        ADD CHECK (cardinality(array_positions(reverse_distances, NULL))
            + cardinality(array_positions(reverse_distances_reasons, NULL)) = cardinality(reverse_losses)),
        ADD CHECK (cardinality(reverse_deviations) = cardinality(reverse_moves)),
        ADD CHECK (array_positions(nearest_sessions, NULL) = array_positions(nearest_returns, NULL)),
        ADD CHECK ('NaN' <> ALL (reverse_moves) AND 'Infinity' <> ALL (reverse_moves)
            AND '-Infinity' <> ALL (reverse_moves))
    """


def upgrade() -> None:
    """Add the columns."""
    op.execute(REVERSE)
