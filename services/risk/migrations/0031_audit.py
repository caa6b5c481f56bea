"""Who did what over HTTP."""

from alembic import op

from shared.db.audit import AUDIT_TABLE

revision = "risk_0031"
down_revision = "risk_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table that is only appended to."""
    for statement in AUDIT_TABLE:
        op.execute(statement)
