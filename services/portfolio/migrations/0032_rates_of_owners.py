"""Owners read the rates that their performance is computed with."""

from alembic import op

from shared.db.ownership import everybodys

revision = "portfolio_0032"
down_revision = "portfolio_0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the policy."""
    for statement in everybodys("risk_free_rates"):
        op.execute(statement)
