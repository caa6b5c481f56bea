"""Every fact of a profile, each with its origin."""

from alembic import op

revision = "market_data_0002"
down_revision = "market_data_0001"
branch_labels = None
depends_on = None

FACTS = {
    "date": """
        last_updated current_year_end_date next_year_end_date current_quarter_target_period_date
        next_quarter_target_period_date next_earnings_date
    """,
    "text": """
        description ceo website recommendation_key fiscal_year_end
    """,
    "boolean": """
        is_fund
    """,
    "bigint": """
        employees number_of_analyst_opinions current_quarter_analyst_count next_quarter_analyst_count
        fiscal_quarter_offset
    """,
    "double precision": """
        target_mean_price target_high_price target_low_price recommendation_mean forward_eps earnings_growth
        revenue_growth earnings_quarterly_growth profit_margins operating_margins gross_margins
        return_on_assets return_on_equity total_revenue current_year_revenue_avg current_year_revenue_low
        current_year_revenue_high current_year_revenue_growth current_year_earnings_avg
        current_year_earnings_low current_year_earnings_high next_year_revenue_avg next_year_revenue_low
        next_year_revenue_high next_year_revenue_growth next_year_earnings_avg next_year_earnings_low
        next_year_earnings_high current_quarter_revenue_avg current_quarter_revenue_low
        current_quarter_revenue_high current_quarter_eps_avg current_quarter_eps_low current_quarter_eps_high
        next_quarter_revenue_avg next_quarter_revenue_low next_quarter_revenue_high next_quarter_eps_avg
        next_quarter_eps_low next_quarter_eps_high next_earnings_expected_eps next_earnings_expected_revenue
    """,
}
ADDED = ", ".join(f"ADD COLUMN {name} {kind}" for kind, names in FACTS.items() for name in names.split())

STATEMENTS = (
    f"ALTER TABLE profiles {ADDED}",
    # When an older profile was fetched is not known: it counts from now on.
    """
    ALTER TABLE profiles
        ADD COLUMN fetched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        ADD COLUMN origins jsonb NOT NULL DEFAULT '{}'
    """,
)


def upgrade() -> None:
    """Widen the profiles; what is known of a symbol stays."""
    for statement in STATEMENTS:
        op.execute(statement)
