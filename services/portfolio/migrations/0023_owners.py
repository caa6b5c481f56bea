"""Whose a portfolio is, and what owners may read."""

from alembic import op

from shared.db.ownership import OWNER_COLUMN, belonging, everybodys, owned

revision = "portfolio_0023"
down_revision = "portfolio_0022"
branch_labels = None
depends_on = None

OF_PORTFOLIOS = ("positions", "flows", "book_edits", "snapshots", "position_values")
OF_EVERYBODY = ("price_symbols", "price_bars", "profiles")


def upgrade() -> None:
    """Add the column and the policies; what is there is nobody's."""
    op.execute(f"ALTER TABLE portfolios ADD COLUMN {OWNER_COLUMN}")
    policies = [
        *owned("portfolios"),
        *(statement for table in OF_PORTFOLIOS for statement in belonging(table, "portfolio_id", "portfolios")),
        *belonging("position_exits", "position_id", "positions"),
        *(statement for table in OF_EVERYBODY for statement in everybodys(table)),
    ]
    for statement in policies:
        op.execute(statement)
