"""The `fmp` provider, Financial Modeling Prep: profiles with the next earnings, and statements."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from services.market_data.core.findings import Finding, Rule
from services.market_data.core.statements import GivenStatement, Period
from services.market_data.core.tiers import EVERYTHING, DueTiers
from services.market_data.providers.asking import ask_each
from services.market_data.providers.http_session import Answer, HttpSession, Received, retry_after
from services.market_data.providers.json_fields import day, number
from services.market_data.providers.kept_answers import KeptAnswers
from services.market_data.providers.provider import FetchedProfiles, FetchedStatements, Kind
from services.market_data.providers.vendor_errors import (
    KeyRefused,
    Malformed,
    NotEntitled,
    NotFound,
    RateLimited,
    SymbolNotEntitled,
    VendorError,
)
from services.market_data.providers.vendor_facts import read_facts
from services.market_data.providers.vendor_rows import Row, rows_of
from services.market_data.settings import Access
from shared.fundamentals import FREQUENCIES

_FACTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{name: name for name in ("sector", "industry", "country", "exchange", "currency", "beta", "description")},
        "name": "companyName",
        "is_etf": "isEtf",
        "is_fund": "isFund",
        "market_cap": "marketCap",
        "ceo": "ceo",
        "employees": "fullTimeEmployees",
        "website": "website",
    }
)
_EARNINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "next_earnings_date": "date",
        "next_earnings_expected_eps": "epsEstimated",
        "next_earnings_expected_revenue": "revenueEstimated",
    }
)
_COMMON: Final = {"depreciation_and_amortization": "depreciationAndAmortization"}
# statement -> its address and the vendor's name of each item
_STATEMENTS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = MappingProxyType(
    {
        "income": (
            "income-statement",
            {
                "total_revenue": "revenue",
                "cost_of_revenue": "costOfRevenue",
                "gross_profit": "grossProfit",
                "research_and_development": "researchAndDevelopmentExpenses",
                "selling_general_and_administrative": "sellingGeneralAndAdministrativeExpenses",
                "operating_income": "operatingIncome",
                "ebit": "ebit",
                "ebitda": "ebitda",
                "net_income": "netIncome",
                "diluted_eps": "epsDiluted",
                "basic_eps": "eps",
                "basic_average_shares": "weightedAverageShsOut",
                "diluted_average_shares": "weightedAverageShsOutDil",
                "tax_provision": "incomeTaxExpense",
                "interest_expense": "interestExpense",
                **_COMMON,
            },
        ),
        "balance": (
            "balance-sheet-statement",
            {
                "total_assets": "totalAssets",
                "current_assets": "totalCurrentAssets",
                "inventory": "inventory",
                "cash_and_cash_equivalents": "cashAndCashEquivalents",
                "short_term_investments": "shortTermInvestments",
                "accounts_receivable": "accountsReceivables",
                "property_plant_equipment": "propertyPlantEquipmentNet",
                "intangible_assets": "intangibleAssets",
                "total_liabilities": "totalLiabilities",
                "current_liabilities": "totalCurrentLiabilities",
                "accounts_payable": "accountPayables",
                "short_term_debt": "shortTermDebt",
                "long_term_debt": "longTermDebt",
                "total_debt": "totalDebt",
                "net_debt": "netDebt",
                "total_stockholders_equity": "totalStockholdersEquity",
                "retained_earnings": "retainedEarnings",
                "common_stock": "commonStock",
            },
        ),
        "cash_flow": (
            "cash-flow-statement",
            {
                "operating_cash_flow": "operatingCashFlow",
                "stock_based_compensation": "stockBasedCompensation",
                "change_in_working_capital": "changeInWorkingCapital",
                "investing_cash_flow": "netCashProvidedByInvestingActivities",
                "capital_expenditures": "capitalExpenditure",
                "acquisitions": "acquisitionsNet",
                "purchases_of_investments": "purchasesOfInvestments",
                "financing_cash_flow": "netCashProvidedByFinancingActivities",
                "dividends_paid": "netDividendsPaid",
                "stock_repurchases": "commonStockRepurchased",
                "debt_issuance_repayment": "netDebtIssuance",
                "net_change_in_cash": "netChangeInCash",
                "beginning_cash_position": "cashAtBeginningOfPeriod",
                "free_cash_flow": "freeCashFlow",
                **_COMMON,
            },
        ),
    }
)
_PERIODS: Final = MappingProxyType({"annual": "annual", "quarterly": "quarter"})
CALENDAR_DAYS: Final = 90  # what the calendar may be asked for at once
CALENDAR_KEPT_S: Final = 3_600.0

Calendar = Mapping[str, Row]  # the next earnings by the vendor's symbol


class FmpProvider:
    """Asks Financial Modeling Prep for one company after the other."""

    name: Final = "fmp"
    facts: Final = frozenset({*_FACTS, *_EARNINGS, "week_52_low", "week_52_high", "beta_as_of", "last_updated"})

    def __init__(self, access: Access) -> None:
        self._session = HttpSession(access, {"apikey": access.key.get_secret_value()}, _refusal)
        self._periods = access.plan.periods
        self._frequencies = set(FREQUENCIES)
        self._calendars = KeptAnswers[Calendar](1, CALENDAR_KEPT_S)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def edition(self, _: Kind) -> str:
        """Return a constant: a new edition of what is said is as good as none."""
        return "1"

    async def fetch_profiles(self, symbols: Sequence[str], _: DueTiers = EVERYTHING, /) -> FetchedProfiles:
        """Return the profiles, with the next earnings where the calendar can be had, see `ProfileProvider`."""

        async def ask(symbol: str) -> dict[str, Any]:
            answer = await self._session.get("/stable/profile", symbol=symbol)
            row = _first(answer)
            return {**_given(row, answer), **_next_earnings((await self._calendar(answer)).get(symbol, {}))}

        asked = await ask_each(symbols, ask, patience_s=self._session.patience_s, absent=f"not in {self.name}")
        read = {symbol: read_facts(symbol, given, self.name) for symbol, given in asked.found.items()}
        profiles = {symbol: facts for symbol, (facts, _) in read.items()}
        findings = tuple(finding for _, set_aside in read.values() for finding in set_aside)
        return FetchedProfiles(
            self.name, profiles, asked.unavailable, findings, asked.failed, asked.failure, asked.not_entitled
        )

    async def fetch_statements(self, symbols: Sequence[str]) -> FetchedStatements:
        """Return the statements of both frequencies that the plan has, see `StatementProvider`."""
        findings: list[Finding] = []

        async def ask(symbol: str) -> list[GivenStatement]:
            given = [
                statement
                for frequency in FREQUENCIES
                for kind in _STATEMENTS
                for row in await self._rows(symbol, kind, frequency)
                if (statement := _statement(row, symbol, kind, frequency, findings)) is not None
            ]
            if not given:
                raise NotFound(symbol)
            return given

        said = f"no statements in {self.name}"
        asked = await ask_each(symbols, ask, patience_s=self._session.patience_s, absent=said)
        return FetchedStatements(
            self.name,
            asked.found,
            asked.unavailable,
            tuple(findings),
            asked.failed,
            asked.failure,
            asked.not_entitled,
        )

    async def _rows(self, symbol: str, kind: str, frequency: str) -> list[Any]:
        if frequency not in self._frequencies:
            return []
        path, period = f"/stable/{_STATEMENTS[kind][0]}", _PERIODS[frequency]
        try:
            answer = await self._session.get(path, symbol=symbol, period=period, limit=self._periods)
        except NotEntitled:
            # Plans have annual statements first.
            if frequency == "annual":
                raise
            self._frequencies.discard(frequency)
            return []
        return rows_of(answer.body)

    async def _calendar(self, answer: Answer) -> Calendar:
        if answer.at is None:
            return {}
        today = answer.at.date()
        return await self._calendars.get(today, partial(self._earnings_from, today))

    async def _earnings_from(self, today: date) -> Calendar:
        until = today + timedelta(days=CALENDAR_DAYS - 1)
        try:
            answer = await self._session.get("/stable/earnings-calendar", **{"from": str(today), "to": str(until)})
            told = rows_of(answer.body)
        except (NotFound, VendorError):
            # What is said of a company counts without it, too.
            return {}
        rows = [row for row in told if isinstance(row, Mapping) and day(row.get("date")) is not None]
        coming = [row for row in rows if today <= (day(row["date"]) or date.min) <= until]
        # The earliest of each is the last to be put there.
        return {str(row.get("symbol")): row for row in sorted(coming, key=lambda row: str(row["date"]), reverse=True)}


def _first(answer: Answer) -> Row:
    rows = rows_of(answer.body)
    if not rows:
        raise NotFound("an empty list")
    if not isinstance(rows[0], Mapping):
        raise Malformed(f"no object in the list but {type(rows[0]).__name__}")
    return rows[0]


def _given(row: Row, answer: Answer) -> dict[str, Any]:
    given = {fact: row.get(name) for fact, name in _FACTS.items()}
    low, _, high = str(row.get("range") or "").partition("-")
    today = None if answer.at is None else answer.at.date()
    # A market value is that of the last price, and nobody says of when a beta is.
    return {**given, "week_52_low": low, "week_52_high": high, "beta_as_of": today, "last_updated": today}


def _next_earnings(row: Row) -> dict[str, Any]:
    return {fact: row.get(name) for fact, name in _EARNINGS.items()}


def _statement(row: Any, symbol: str, kind: str, frequency: str, findings: list[Finding]) -> GivenStatement | None:
    end = day(row.get("date")) if isinstance(row, Mapping) else None
    if end is None:
        findings.append(Finding(symbol, None, Rule.UNPARSABLE_DATE, f"{str(row)[:100]!r}", FmpProvider.name))
        return None
    read = {item: number(row.get(name)) for item, name in _STATEMENTS[kind][1].items() if row.get(name) is not None}
    year, period, currency = number(row.get("fiscalYear")), str(row.get("period")), row.get("reportedCurrency")
    return GivenStatement(
        Period(symbol, kind, frequency, end),
        read,
        published_on=day(row.get("filingDate")),
        currency=currency if isinstance(currency, str) else None,
        fiscal_year=int(year) if year.is_integer() else None,
        fiscal_quarter=int(period[1]) if frequency == "quarterly" and period in {"Q1", "Q2", "Q3", "Q4"} else None,
    )


def _refusal(received: Received, said: str) -> Exception | None:
    # Under any status, 200 included, in JSON and in plain text.
    if received.status == 402 and "value set for 'symbol'" in said:
        return SymbolNotEntitled(f"402: {said}")
    if '"Error Message"' not in received.text[:100]:
        return None
    if said.startswith("Limit Reach"):
        return RateLimited(said, retry_after(received.headers))
    if "API KEY" in said:
        return KeyRefused(said)
    return Malformed(said) if received.status == 200 else None
