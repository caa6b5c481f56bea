"""Statements with their revisions, and when the providers were asked about each company."""

from alembic import op

revision = "market_data_0003"
down_revision = "market_data_0002"
branch_labels = None
depends_on = None

ITEMS = {
    "income_statements": """
        total_revenue cost_of_revenue gross_profit gross_margin research_and_development
        selling_general_and_administrative operating_income operating_margin ebit ebitda net_income net_margin
        diluted_eps basic_eps basic_average_shares diluted_average_shares tax_provision interest_expense
        depreciation_and_amortization
    """,
    "balance_sheets": """
        total_assets current_assets cash_and_cash_equivalents short_term_investments accounts_receivable inventory
        property_plant_equipment intangible_assets total_liabilities current_liabilities accounts_payable
        short_term_debt long_term_debt total_debt total_stockholders_equity retained_earnings common_stock
        working_capital net_debt current_ratio debt_to_equity book_value_per_share
    """,
    "cash_flow_statements": """
        operating_cash_flow depreciation_and_amortization stock_based_compensation change_in_working_capital
        investing_cash_flow capital_expenditures acquisitions purchases_of_investments financing_cash_flow
        dividends_paid stock_repurchases debt_issuance_repayment net_change_in_cash beginning_cash_position
        free_cash_flow fcf_margin
    """,
}


def _table(name: str, items: str) -> str:
    names = items.split()
    columns = ", ".join(f"{item} double precision" for item in names)
    finite = " AND ".join(f"{item} > '-Infinity' AND {item} < 'Infinity'" for item in names)
    return f"""
        CREATE TABLE {name} (
            symbol text NOT NULL,
            frequency text NOT NULL CHECK (frequency IN ('quarterly', 'annual')),
            period_end date NOT NULL,
            revision integer NOT NULL CHECK (revision > 0),
            known_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            digest bytea NOT NULL,
            published_on date,
            counts_from date NOT NULL,
            currency text,
            fiscal_year integer,
            fiscal_quarter integer CHECK (fiscal_quarter BETWEEN 1 AND 4),
            {columns},
            derived text[] NOT NULL,
            source text NOT NULL,
            fetched_at timestamptz NOT NULL,
            run_id uuid NOT NULL,
            PRIMARY KEY (symbol, frequency, period_end, revision),
            CHECK (published_on >= period_end),
            CHECK ({finite})
        )
    """


STATEMENTS = (
    *(_table(name, items) for name, items in ITEMS.items()),
    # Asked at, in which edition of the providers, and the next earnings as they were known then.
    """
    ALTER TABLE instruments
        ADD COLUMN profile_fetched_at timestamptz,
        ADD COLUMN profile_edition text,
        ADD COLUMN fundamentals_fetched_at timestamptz,
        ADD COLUMN fundamentals_edition text,
        ADD COLUMN fundamentals_earnings date
    """,
)


def upgrade() -> None:
    """Create the tables of statements."""
    for statement in STATEMENTS:
        op.execute(statement)
