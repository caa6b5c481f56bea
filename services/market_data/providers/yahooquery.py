"""The `yahooquery` provider: profiles and statements as Yahoo's pages have them, valuations of many symbols at once.

Named after the client of the predecessor; asked like every other vendor. Its origin is that of `yahoo`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final
from urllib.parse import quote

from services.market_data.core.findings import Finding
from services.market_data.core.statements import GivenStatement, Period
from services.market_data.core.tiers import EVERY_TIER, EVERYTHING, DueTiers, Tier
from services.market_data.providers.asking import Asked, ask_each
from services.market_data.providers.http_session import Answer, HttpSession, Received
from services.market_data.providers.json_fields import day, number
from services.market_data.providers.provider import FetchedProfiles, FetchedStatements, Kind
from services.market_data.providers.vendor_errors import KeyRefused, Malformed, NotFound
from services.market_data.providers.vendor_facts import read_facts
from services.market_data.providers.vendor_rows import rows_of
from services.market_data.providers.yahoo import HEADERS
from services.market_data.providers.yahoo_fields import (
    CALENDAR,
    EXECUTIVES,
    MODULES,
    PERIODS,
    QUOTED,
    STATEMENTS,
    TREND,
)
from services.market_data.settings import Access
from shared.fundamentals import FREQUENCIES
from shared.profile import FACTS

SYMBOLS_A_REQUEST: Final = 100
_SINCE: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
_UNTIL: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())

# statement, frequency, our name of an item, its series
_SERIES: Final = [
    (statement, frequency, item, f"{frequency}{name}")
    for statement, names in STATEMENTS.items()
    for frequency in FREQUENCIES
    for item, name in names.items()
]
_TYPES: Final = ",".join(dict.fromkeys(name for *_, name in _SERIES))

Row = Mapping[str, Any]


class YahooqueryProvider:
    """Asks for valuations of many symbols at once, and for the rest of a profile and statements one by one."""

    name: Final = "yahooquery"
    facts: Final = frozenset(FACTS)

    def __init__(self, access: Access) -> None:
        self._session = HttpSession(access, HEADERS, _refusal)
        self._cookies_url = access.cookies_url
        self._crumb: str | None = None
        self._entering = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def edition(self, _: Kind) -> str:
        """Return a constant: a new edition of what is said is as good as none."""
        return "1"

    async def fetch_profiles(self, symbols: Sequence[str], tiers: DueTiers = EVERYTHING, /) -> FetchedProfiles:
        """Return the valuations, and the rest of those of which more is due, see `ProfileProvider`."""
        quoted: dict[str, dict[str, Any]] = {}
        batches = [symbols[start : start + SYMBOLS_A_REQUEST] for start in range(0, len(symbols), SYMBOLS_A_REQUEST)]

        async def ask(symbol: str) -> dict[str, Any]:
            if symbol not in quoted:
                quoted.update(await self._quoted(next(batch for batch in batches if symbol in batch)))
            if not quoted[symbol]:
                raise NotFound(symbol)
            if tiers.get(symbol, EVERY_TIER) <= {Tier.VALUATIONS}:
                return quoted[symbol]
            return quoted[symbol] | await self._described(symbol)

        said = f"not in {self.name}"
        asked = await ask_each(symbols, ask, patience_s=self._session.patience_s, absent=said)
        read = {symbol: read_facts(symbol, given, self.name) for symbol, given in asked.found.items()}
        profiles = {symbol: facts for symbol, (facts, _) in read.items()}
        findings = tuple(finding for _, set_aside in read.values() for finding in set_aside)
        return FetchedProfiles(self.name, profiles, asked.unavailable, findings, asked.failed, asked.failure)

    async def fetch_statements(self, symbols: Sequence[str]) -> FetchedStatements:
        """Return the statements of both frequencies, see `StatementProvider`."""

        async def ask(symbol: str) -> list[GivenStatement]:
            path = f"/ws/fundamentals-timeseries/v1/finance/timeseries/{quote(symbol)}"
            span = {"period1": _SINCE, "period2": _UNTIL}
            body = (await self._session.get(path, type=_TYPES, merge="false", **span)).body
            given = _statements(symbol, _result(body, "timeseries"))
            if not given:
                raise NotFound(symbol)
            return given

        said = f"no statements in {self.name}"
        asked: Asked[list[GivenStatement]] = await ask_each(
            symbols, ask, patience_s=self._session.patience_s, absent=said
        )
        findings: tuple[Finding, ...] = ()
        return FetchedStatements(self.name, asked.found, asked.unavailable, findings, asked.failed, asked.failure)

    async def _quoted(self, symbols: Sequence[str]) -> dict[str, dict[str, Any]]:
        answer = await self._with_crumb("/v7/finance/quote", symbols=",".join(symbols))
        found: dict[str, dict[str, Any]] = {symbol: {} for symbol in symbols}
        for row in _result(answer.body, "quoteResponse"):
            symbol = str(row.get("symbol")) if isinstance(row, Mapping) else ""
            # What is traded no more is quoted without a kind.
            if symbol in found and row.get("quoteType") not in (None, "NONE"):
                found[symbol] = _valued(row)
        return found

    async def _described(self, symbol: str) -> dict[str, Any]:
        modules = ",".join((*MODULES, TREND, CALENDAR))
        try:
            answer = await self._with_crumb(f"/v10/finance/quoteSummary/{quote(symbol)}", modules=modules)
        except NotFound:
            return {}
        (told,) = _result(answer.body, "quoteSummary")[:1] or ({},)
        return _facts(_object(told), None if answer.at is None else answer.at.date())

    async def _with_crumb(self, path: str, **query: str) -> Answer:
        # The crumb goes with the cookies of the session, and becomes none after a while.
        try:
            return await self._session.get(path, formatted="false", crumb=await self._enter(), **query)
        except KeyRefused:
            self._crumb = None
        return await self._session.get(path, formatted="false", crumb=await self._enter(), **query)

    async def _enter(self) -> str:
        async with self._entering:
            if self._crumb is None:
                await self._session.visit(self._cookies_url)
                received = await self._session.visit("/v1/test/getcrumb")
                if received.status != 200 or not 0 < len(received.text) < 64 or received.text.lstrip()[:1] in "<{":
                    raise KeyRefused(f"no crumb but {received.status}: {received.text[:80]!r}")
                self._crumb = received.text
            return self._crumb


def _object(value: Any) -> Row:
    if not isinstance(value, Mapping):
        raise Malformed(f"no object but {type(value).__name__}")
    return value


def _result(body: Any, name: str) -> list[Any]:
    told = _object(_object(body).get(name))
    error = told.get("error")
    if isinstance(error, Mapping):
        said = f"{error.get('code')}: {error.get('description')}"[:100]
        raise NotFound(said) if error.get("code") == "Not Found" else Malformed(said)
    return rows_of(told.get("result"))


def _valued(row: Row) -> dict[str, Any]:
    traded = number(row.get("regularMarketTime"))
    kind = row.get("quoteType")
    return {fact: row.get(name) for fact, name in QUOTED.items()} | {
        "name": row.get("longName") or row.get("shortName"),
        "is_etf": kind == "ETF",
        "is_fund": kind == "MUTUALFUND",
        # A market value is that of the last price.
        "last_updated": _day_of(traded),
    }


def _day_of(stamp: Any) -> str | None:
    try:
        return str(datetime.fromtimestamp(number(stamp), UTC).date())
    except (ValueError, OverflowError, OSError):
        return None


def _facts(told: Row, today: date | None) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for module, names in MODULES.items():
        part = told.get(module)
        if isinstance(part, Mapping):
            facts |= {fact: _plain(part.get(name)) for fact, name in names.items()}
    facts |= {"beta_as_of": None if today is None else str(today), "ceo": _chief(told.get("assetProfile"))}
    facts |= _fiscal_year(told.get("defaultKeyStatistics"))
    return facts | _estimates(told.get(TREND)) | _next_earnings(told.get(CALENDAR))


def _plain(value: Any) -> Any:
    # Numbers come with how they are written even where that was not asked for.
    return value.get("raw") if isinstance(value, Mapping) else value


def _chief(profile: Any) -> str | None:
    officers = profile.get(EXECUTIVES) if isinstance(profile, Mapping) else None
    named = [each for each in officers if isinstance(each, Mapping)] if isinstance(officers, list) else []
    chiefs = [each.get("name") for each in named if "CEO" in str(each.get("title"))]
    return next((name for name in chiefs if isinstance(name, str)), None)


def _fiscal_year(statistics: Any) -> dict[str, Any]:
    end = _day_of(_plain(statistics.get("lastFiscalYearEnd"))) if isinstance(statistics, Mapping) else None
    return {} if end is None else {"fiscal_year_end": end[5:], "fiscal_quarter_offset": int(end[5:7]) % 3}


def _estimates(trend: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    rows = trend.get("trend") if isinstance(trend, Mapping) else None
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, Mapping) or str(row.get("period")) not in PERIODS:
            continue
        prefix, dated, earnings = PERIODS[str(row["period"])]
        facts[f"{prefix}_{dated}"] = row.get("endDate")
        for ours, theirs in (("revenue", "revenueEstimate"), (earnings, "earningsEstimate")):
            estimate = row.get(theirs)
            if isinstance(estimate, Mapping):
                facts |= {f"{prefix}_{ours}_{of}": _plain(estimate.get(of)) for of in ("avg", "low", "high")}
                facts |= _beside(prefix, theirs, estimate)
    return facts


def _beside(prefix: str, theirs: str, estimate: Row) -> dict[str, Any]:
    if prefix.endswith("year"):
        return {f"{prefix}_revenue_growth": _plain(estimate.get("growth"))} if theirs == "revenueEstimate" else {}
    counted = theirs == "earningsEstimate"
    return {f"{prefix}_analyst_count": _plain(estimate.get("numberOfAnalysts"))} if counted else {}


def _next_earnings(calendar: Any) -> dict[str, Any]:
    earnings = calendar.get("earnings") if isinstance(calendar, Mapping) else None
    if not isinstance(earnings, Mapping) or not isinstance(earnings.get("earningsDate"), list):
        return {}
    days = [found for stamp in earnings["earningsDate"] if (found := _day_of(_plain(stamp))) is not None]
    return {
        "next_earnings_date": min(days, default=None),
        "next_earnings_expected_eps": _plain(earnings.get("earningsAverage")),
        "next_earnings_expected_revenue": _plain(earnings.get("revenueAverage")),
    }


def _statements(symbol: str, series: Sequence[Any]) -> list[GivenStatement]:
    items: dict[Period, dict[str, float]] = defaultdict(dict)
    currencies: dict[Period, str] = {}
    told = {name: rows for each in series if isinstance(each, Mapping) for name, rows in each.items()}
    for statement, frequency, item, name in _SERIES:
        for end, row in _dated(told.get(name)):
            period = Period(symbol, statement, frequency, end)
            items[period][item] = number(_plain(row.get("reportedValue")))
            if isinstance(row.get("currencyCode"), str):
                currencies[period] = row["currencyCode"]
    return [GivenStatement(period, found, currency=currencies.get(period)) for period, found in items.items()]


def _dated(rows: Any) -> Iterator[tuple[date, Row]]:
    for row in rows if isinstance(rows, list) else ():
        end = day(row.get("asOfDate")) if isinstance(row, Mapping) else None
        if end is not None:
            yield end, row


def _refusal(received: Received, said: str) -> Exception | None:
    # An unknown symbol is a 404 with the reason in it; a crumb that is none a 401.
    return KeyRefused(f"401: {said}") if received.status == 401 else None
