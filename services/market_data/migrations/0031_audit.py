"""Who did what over HTTP."""

from alembic import op

from shared.db.audit import AUDIT_TABLE

revision = "market_data_0031"
down_revision = "market_data_0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table that is only appended to."""
    for statement in AUDIT_TABLE:
        op.execute(statement)
