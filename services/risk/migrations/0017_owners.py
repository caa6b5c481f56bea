"""Whose a portfolio is, as its statements say, and what owners may read."""

from alembic import op

from shared.db.ownership import OWNER_COLUMN, belonging, everybodys, owned

revision = "risk_0017"
down_revision = "risk_0015"
branch_labels = None
depends_on = None

OF_PORTFOLIOS = (
    *("books", "assessments", "portfolio_factors", "portfolio_sectors", "portfolio_measures", "portfolio_stress"),
    *("portfolio_correlations", "portfolio_contributions", "portfolio_active_sectors"),
)
OF_EVERYBODY = (
    *("price_symbols", "price_bars", "corrections", "held_closes", "profiles", "betas", "factor_moves", "benchmarks"),
)


def upgrade() -> None:
    """Create the table and the policies; what is there is nobody's."""
    op.execute(f"CREATE TABLE owners (portfolio_id uuid PRIMARY KEY, {OWNER_COLUMN})")
    policies = [
        *owned("owners"),
        *(statement for table in OF_PORTFOLIOS for statement in belonging(table, "portfolio_id", "owners")),
        *(statement for table in OF_EVERYBODY for statement in everybodys(table)),
    ]
    for statement in policies:
        op.execute(statement)
