"""What Yahoo calls the facts of a profile and the items of statements."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# What is asked for in batches, once a day.
QUOTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "name": "longName",
        "exchange": "fullExchangeName",
        "currency": "currency",
        "market_cap": "marketCap",
        "shares_outstanding": "sharesOutstanding",
        "pe_ratio": "trailingPE",
        "forward_pe": "forwardPE",
        "dividend_yield": "trailingAnnualDividendYield",
        "week_52_high": "fiftyTwoWeekHigh",
        "week_52_low": "fiftyTwoWeekLow",
    }
)
# module -> what is asked for symbol by symbol, once a week
MODULES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "assetProfile": {
            **{name: name for name in ("sector", "industry", "country", "website")},
            "description": "longBusinessSummary",
            "employees": "fullTimeEmployees",
        },
        "summaryDetail": {"beta": "beta"},
        "defaultKeyStatistics": {
            "forward_eps": "forwardEps",
            "earnings_quarterly_growth": "earningsQuarterlyGrowth",
            "profit_margins": "profitMargins",
        },
        "financialData": {
            "target_mean_price": "targetMeanPrice",
            "target_high_price": "targetHighPrice",
            "target_low_price": "targetLowPrice",
            "number_of_analyst_opinions": "numberOfAnalystOpinions",
            "recommendation_mean": "recommendationMean",
            "recommendation_key": "recommendationKey",
            "earnings_growth": "earningsGrowth",
            "revenue_growth": "revenueGrowth",
            "operating_margins": "operatingMargins",
            "gross_margins": "grossMargins",
            "return_on_assets": "returnOnAssets",
            "return_on_equity": "returnOnEquity",
            "total_revenue": "totalRevenue",
        },
    }
)
EXECUTIVES: Final = "companyOfficers"
TREND: Final = "earningsTrend"
CALENDAR: Final = "calendarEvents"
# period of the trend -> our prefix, the name of its day, what we call earnings
PERIODS: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "0y": ("current_year", "end_date", "earnings"),
        "+1y": ("next_year", "end_date", "earnings"),
        "0q": ("current_quarter", "target_period_date", "eps"),
        "+1q": ("next_quarter", "target_period_date", "eps"),
    }
)
# statement -> the name of each item
STATEMENTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "income": {
            "total_revenue": "TotalRevenue",
            "cost_of_revenue": "CostOfRevenue",
            "gross_profit": "GrossProfit",
            "research_and_development": "ResearchAndDevelopment",
            "selling_general_and_administrative": "SellingGeneralAndAdministration",
            "operating_income": "OperatingIncome",
            "ebit": "EBIT",
            "ebitda": "EBITDA",
            "net_income": "NetIncome",
            "diluted_eps": "DilutedEPS",
            "basic_eps": "BasicEPS",
            "basic_average_shares": "BasicAverageShares",
            "diluted_average_shares": "DilutedAverageShares",
            "tax_provision": "TaxProvision",
            "interest_expense": "InterestExpense",
            "depreciation_and_amortization": "ReconciledDepreciation",
        },
        "balance": {
            "total_assets": "TotalAssets",
            "current_assets": "CurrentAssets",
            "cash_and_cash_equivalents": "CashAndCashEquivalents",
            "short_term_investments": "OtherShortTermInvestments",
            "accounts_receivable": "AccountsReceivable",
            "inventory": "Inventory",
            "property_plant_equipment": "NetPPE",
            "intangible_assets": "OtherIntangibleAssets",
            "total_liabilities": "TotalLiabilitiesNetMinorityInterest",
            "current_liabilities": "CurrentLiabilities",
            "accounts_payable": "AccountsPayable",
            "short_term_debt": "CurrentDebt",
            "long_term_debt": "LongTermDebt",
            "total_debt": "TotalDebt",
            "net_debt": "NetDebt",
            "total_stockholders_equity": "StockholdersEquity",
            "retained_earnings": "RetainedEarnings",
            "common_stock": "CommonStock",
        },
        "cash_flow": {
            "operating_cash_flow": "OperatingCashFlow",
            "depreciation_and_amortization": "DepreciationAndAmortization",
            "stock_based_compensation": "StockBasedCompensation",
            "change_in_working_capital": "ChangeInWorkingCapital",
            "investing_cash_flow": "InvestingCashFlow",
            "capital_expenditures": "CapitalExpenditure",
            "acquisitions": "PurchaseOfBusiness",
            "purchases_of_investments": "PurchaseOfInvestment",
            "financing_cash_flow": "FinancingCashFlow",
            "dividends_paid": "CashDividendsPaid",
            "stock_repurchases": "RepurchaseOfCapitalStock",
            "debt_issuance_repayment": "NetIssuancePaymentsOfDebt",
            "net_change_in_cash": "ChangesInCash",
            "beginning_cash_position": "BeginningCashPosition",
            "free_cash_flow": "FreeCashFlow",
        },
    }
)
