"""What a run has found wrong is looked up by the run."""

from alembic import op

revision = "market_data_0006"
down_revision = "market_data_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.execute("CREATE INDEX findings_by_run ON findings (run_id, finding_id)")
