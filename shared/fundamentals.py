"""What is known of a company's statements: one list of items for providers, tables and events."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

FREQUENCIES: Final = ("quarterly", "annual")

# Amounts are in the statement's currency, earnings and book value per share; margins and ratios are fractions.
# Expenses, interest and taxes are positive; cash that leaves (investments, dividends, repurchases) is negative.
ITEMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "income": (
            *("total_revenue", "cost_of_revenue", "gross_profit", "gross_margin", "research_and_development"),
            *("selling_general_and_administrative", "operating_income", "operating_margin", "ebit", "ebitda"),
            *("net_income", "net_margin", "diluted_eps", "basic_eps", "basic_average_shares"),
            *("diluted_average_shares", "tax_provision", "interest_expense", "depreciation_and_amortization"),
        ),
        "balance": (
            *("total_assets", "current_assets", "cash_and_cash_equivalents", "short_term_investments"),
            *("accounts_receivable", "inventory", "property_plant_equipment", "intangible_assets"),
            *("total_liabilities", "current_liabilities", "accounts_payable", "short_term_debt", "long_term_debt"),
            *("total_debt", "total_stockholders_equity", "retained_earnings", "common_stock", "working_capital"),
            *("net_debt", "current_ratio", "debt_to_equity", "book_value_per_share"),
        ),
        "cash_flow": (
            *("operating_cash_flow", "depreciation_and_amortization", "stock_based_compensation"),
            *("change_in_working_capital", "investing_cash_flow", "capital_expenditures", "acquisitions"),
            *("purchases_of_investments", "financing_cash_flow", "dividends_paid", "stock_repurchases"),
            *("debt_issuance_repayment", "net_change_in_cash", "beginning_cash_position", "free_cash_flow"),
            "fcf_margin",
        ),
    }
)
STATEMENTS: Final = tuple(ITEMS)
