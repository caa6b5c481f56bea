"""The `massive` provider, formerly Polygon: the whole market's bars of a session at once, or one symbol's of many."""

import asyncio
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from services.market_data.core.actions import ActionKind, CorporateAction
from services.market_data.core.findings import Finding, Rule
from services.market_data.core.names import CONTRACTS, renames
from services.market_data.core.open_interest import OpenInterest
from services.market_data.providers.asking import Asked, ask_each
from services.market_data.providers.corporate_events import CorporateEvent, with_events
from services.market_data.providers.http_session import HttpSession
from services.market_data.providers.json_fields import day, number
from services.market_data.providers.kept_answers import KeptAnswers
from services.market_data.providers.provider import (
    FetchedBars,
    FetchedInterest,
    FetchedNames,
    Kind,
    Listed,
    ProviderError,
)
from services.market_data.providers.vendor_errors import Malformed, NotEntitled, NotFound, OutOfOrder, VendorError
from services.market_data.providers.vendor_rows import Row, RowReader, absent, rows_of
from services.market_data.settings import Access
from shared.calendar import sessions_between
from shared.symbols import is_symbol
from shared.unavailable import Reason, Unavailable

_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {"close": "c", "open": "o", "high": "h", "low": "l", "volume": "v", "split": "split", "dividend": "dividend"}
)
_ZONE: Final = ZoneInfo("America/New_York")
_KEPT: Final = ("T", "t", "c", "o", "h", "l", "v")
_MARKET: Final = "/v2/aggs/grouped/locale/us/market/stocks"
_SPLITS, _DIVIDENDS = ("/stocks/v1/splits", "execution_date"), ("/stocks/v1/dividends", "ex_dividend_date")
_INTEREST: Final = ("/options/v1/open-interest", "date")
_PAGE: Final = 5_000
_BARS: Final = "bars "  # before the session, of an answer that is kept
MAX_PAGES: Final = 100
SYMBOLS_A_REQUEST: Final = 50  # of events: their names are in the URL
NAMES_AT_ONCE: Final = 5  # two requests each; the others' turn comes with the next shard or run
# The shards of a run ask for the same sessions of the whole market, some 5 MB each, and the same events.
DAYS_KEPT: Final = 8
MONTHS_KEPT: Final = 30
KEPT_S: Final = 900.0

Market = Mapping[str, Row]  # the rows of one session by symbol


class _Told:
    """What is told of splits and dividends: what can be used, and what is set aside."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._events: dict[tuple[object, ...], CorporateEvent] = {}
        self.actions: set[CorporateAction] = set()

    @classmethod
    def together(cls, parts: Sequence["_Told"]) -> "_Told":
        whole = cls()
        for part in parts:
            whole.findings += part.findings
            whole._events |= part._events
            whole.actions |= part.actions
        return whole

    @property
    def events(self) -> list[CorporateEvent]:
        return sorted(self._events.values())

    def add_split(self, row: Mapping[str, Any]) -> None:
        symbol, on = str(row.get("ticker")), day(row.get("execution_date"))
        old, new = number(row.get("split_from")), number(row.get("split_to"))
        if on is None or not (0.0 < old < math.inf and 0.0 < new < math.inf):
            self.findings.append(Finding(symbol, on, Rule.BAD_SPLIT, _quoted(row), MassiveProvider.name))
            return
        self._events[symbol, on, new / old] = CorporateEvent(symbol, on, split=new / old)
        self.actions.add(CorporateAction(symbol, ActionKind.SPLIT, on, new / old))

    def add_dividend(self, row: Mapping[str, Any]) -> None:
        symbol, on, cash = str(row.get("ticker")), day(row.get("ex_dividend_date")), number(row.get("cash_amount"))
        if on is None or not 0.0 <= cash < math.inf or row.get("currency") not in (None, "USD"):
            self.findings.append(Finding(symbol, on, Rule.BAD_DIVIDEND, _quoted(row), MassiveProvider.name))
            return
        # Some are there twice under two ids; a special one beside a regular one differs in more than that.
        told = (symbol, on, cash, str(row.get("pay_date")), str(row.get("distribution_type")))
        self._events[told] = CorporateEvent(symbol, on, dividend=cash)
        if cash > 0.0:
            self.actions.add(CorporateAction(symbol, ActionKind.DIVIDEND, on, cash, day(row.get("pay_date"))))


class MassiveProvider:
    """Asks Massive for sessions of the whole market, or symbol by symbol where those are fewer.

    Closes are as traded; adjusted ones are left to be derived from the splits and dividends.
    """

    name: Final = "massive"

    def __init__(self, access: Access) -> None:
        headers = {"Authorization": f"Bearer {access.key.get_secret_value()}"}
        self._session = HttpSession(access, headers)
        self._reader = RowReader(self.name, _FIELDS, _day_of)
        self._history_days = access.plan.history_days
        self._answers = access.answers
        self._markets = KeptAnswers[Market](DAYS_KEPT, KEPT_S)
        self._events = KeptAnswers[_Told](MONTHS_KEPT, KEPT_S)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def edition(self, _: Kind) -> str:
        """Return a constant: the history does not grow backward."""
        return "1"

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        """Return the histories, as far back as the plan reaches, see `BarProvider`."""
        if self._history_days is not None:
            first = max(first, last - timedelta(days=self._history_days))
        days = sessions_between(first, last)
        # Sessions of the whole market are those of shares.
        contracts = [symbol for symbol in symbols if symbol.startswith(CONTRACTS[self.name])]
        shares = [symbol for symbol in symbols if symbol not in set(contracts)]
        try:
            async with asyncio.timeout(self._session.patience_s) as until:
                by_session = bool(shares) and await self._cheaper_by_session(shares, days)
                if by_session:
                    asked, told = await self._fetch_market(shares, days)
                else:
                    told = await self._told(first, last, of=shares)
        except TimeoutError:
            raise ProviderError(f"there was no time left: {self._session.patience_s:g} s are for one shard") from None
        ends = until.when() or 0.0
        if not by_session:
            asked = await self._ask_each(shares, first, last, ends=ends)
        await self._add_contracts(asked, contracts, first, last, ends=ends)
        return self._read(asked, told, first, last)

    async def _add_contracts(
        self, asked: Asked[list[Any]], contracts: Sequence[str], first: date, last: date, *, ends: float
    ) -> None:
        try:
            own = await self._ask_each(contracts, first, last, ends=ends)
        except ProviderError as error:
            # A plan may have shares and no options: those are as good as without.
            asked.failed.update(dict.fromkeys(contracts, str(error)))
            return
        asked.found.update(own.found)
        asked.unavailable.update(own.unavailable)
        asked.failed.update(own.failed)

    async def listed(self) -> Listed | None:
        """Return the symbols of the newest whole session that is kept, see `ListingProvider`."""
        days = [what.removeprefix(_BARS) for what in await self._answers.known() if what.startswith(_BARS)]
        if not days:
            return None
        newest = date.fromisoformat(max(days))
        return Listed(newest, frozenset(await self._markets.get(newest, partial(self._market, newest))))

    async def fetch_names(self, symbols: Mapping[str, date]) -> FetchedNames:
        """Return the former names of a few shares that went by these symbols on these days, see `NameProvider`."""

        async def ask(symbol: str) -> dict[str, str]:
            what = f"names {symbol} {symbols[symbol]}"
            text = await self._answers.load(what)
            if text is None:
                text = json.dumps(await self._names_since(symbol, symbols[symbol]))
                await self._answers.store(what, symbols[symbol], text)
            return dict(json.loads(text))

        known = await self._answers.known()
        new = [symbol for symbol in sorted(symbols) if f"names {symbol} {symbols[symbol]}" not in known]
        asked = await ask_each(new[:NAMES_AT_ONCE], ask, patience_s=self._session.patience_s, absent="")
        since = [{date.fromisoformat(on): name for on, name in each.items()} for each in asked.found.values()]
        told = [each for names in since if names for each in renames(names)]
        return FetchedNames(told, asked.unavailable, asked.failed, asked.failure)

    async def fetch_open_interest(self, options: Sequence[str], first: date, last: date) -> FetchedInterest:
        """Return how many contracts were open, some options at once, see `InterestProvider`."""
        names = {f"{CONTRACTS[self.name]}{option}": option for option in options}
        try:
            async with asyncio.timeout(self._session.patience_s):
                rows = await self._told_of(_INTEREST, first, last, list(names))
        except TimeoutError:
            return FetchedInterest(())
        except VendorError as error:
            # A plan may have shares and no options: that keeps nobody from asking for shares.
            raise ProviderError(str(error)) from None
        told = [
            OpenInterest(names[str(row.get("ticker"))], on, int(count))
            for row in rows
            if (on := day(row.get("date"))) is not None
            and (count := number(row.get("open_interest"))).is_integer()
            and count >= 0
            and str(row.get("ticker")) in names
        ]
        return FetchedInterest(told)

    async def _names_since(self, symbol: str, on: date) -> dict[str, str]:
        # A ticker is a share on a day; its events are told under the number of the share.
        try:
            share = await self._result(f"/v3/reference/tickers/{symbol}", date=str(on))
            told = await self._result(f"/vX/reference/tickers/{share['composite_figi']}/events", types="ticker_change")
        except (NotFound, KeyError):
            return {}
        since: dict[str, str] = {}
        for event in rows_of(told.get("events")):
            change = event.get("ticker_change") if isinstance(event, Mapping) else None
            name = change.get("ticker") if isinstance(change, Mapping) else None
            if day(event.get("date")) is None or not isinstance(name, str) or not is_symbol(name):
                raise Malformed(f"an event that cannot be read: {str(event)[:80]}")
            since[str(day(event["date"]))] = name
        return since if symbol in since.values() else {}

    async def _result(self, path: str, **query: str) -> Mapping[str, Any]:
        body = (await self._session.get(path, **query)).body
        result = body.get("results") if isinstance(body, Mapping) else None
        if not isinstance(result, Mapping):
            raise Malformed(f"no object of results for {path}")
        return result

    async def _ask_each(self, symbols: Sequence[str], first: date, last: date, *, ends: float) -> Asked[list[Any]]:
        patience_s = max(0.0, ends - asyncio.get_running_loop().time())

        async def ask(symbol: str) -> list[Any]:
            path = f"/v2/aggs/ticker/{symbol}/range/1/day/{first}/{last}"
            rows = _results((await self._session.get(path, adjusted="false", sort="asc", limit=50_000)).body)
            if not rows:
                raise NotFound(symbol)
            return rows

        return await ask_each(symbols, ask, patience_s=patience_s, absent=absent(self.name, first, last))

    async def _fetch_market(self, symbols: Sequence[str], days: Sequence[date]) -> tuple[Asked[list[Any]], _Told]:
        # A session that could not be had would be taken for one without bars: all of them, or none.
        asked = Asked[list[Any]]()
        for each in days:
            market = await self._markets.get(each, partial(self._market, each))
            for symbol in symbols:
                if symbol in market:
                    asked.found.setdefault(symbol, []).append(market[symbol])
        said = Unavailable(Reason.MISSING_DATA, absent(self.name, days[0], days[-1]))
        asked.unavailable = dict.fromkeys([symbol for symbol in symbols if symbol not in asked.found], said)
        months = [await self._events.get(month, partial(self._told_in, *month)) for month in _months(days[0], days[-1])]
        return asked, _Told.together(months)

    async def _cheaper_by_session(self, symbols: Sequence[str], days: Sequence[date]) -> bool:
        # Whatever this shard is of: the others of a first load wait for the same sessions.
        known = await self._answers.known()
        unknown = sum(_bars_of(each) not in known for each in days)
        return unknown <= max(len(symbols), await self._answers.waiting())

    async def _market(self, session: date) -> Market:
        text = await self._answers.load(_bars_of(session))
        if text is None:
            answered = _results(await self._of_all(f"{_MARKET}/{session}", {"adjusted": "false"}))
            if not answered:
                raise OutOfOrder(f"no bars of {session} yet")
            text = json.dumps([{name: row.get(name) for name in _KEPT} for row in answered if isinstance(row, Mapping)])
            await self._answers.store(_bars_of(session), session, text)
        return {str(row.get("T")): row for row in json.loads(text)}

    async def _told_in(self, first: date, last: date) -> _Told:
        # Month by month: a page each, whatever span is asked for.
        told = _Told()
        for kind, add in ((_SPLITS, told.add_split), (_DIVIDENDS, told.add_dividend)):
            what = f"{kind[0]} {first}"
            text = await self._answers.load(what)
            if text is None:
                text = json.dumps(await self._told_of(kind, first, last, None))
                await self._answers.store(what, last, text)
            for row in json.loads(text):
                add(row)
        return told

    def _read(self, asked: Asked[list[Any]], told: _Told, first: date, last: date) -> FetchedBars:
        events: dict[str, list[CorporateEvent]] = defaultdict(list)
        for each in told.events:
            if first <= each.day <= last:
                events[each.symbol].append(each)
        asked.found = {symbol: with_events(rows, events[symbol], _day_of) for symbol, rows in asked.found.items()}
        own = [
            finding
            for finding in told.findings
            if finding.symbol in asked.found and (finding.day is None or first <= finding.day <= last)
        ]
        actions = (each for each in told.actions if each.symbol in asked.found and first <= each.ex_day <= last)
        return replace(self._reader.read(asked, first, last, findings=own), actions=tuple(actions))

    async def _told(self, first: date, last: date, *, of: Sequence[str]) -> _Told:
        told = _Told()
        for row in await self._told_of(_SPLITS, first, last, of):
            told.add_split(row)
        for row in await self._told_of(_DIVIDENDS, first, last, of):
            told.add_dividend(row)
        return told

    async def _told_of(
        self, of_kind: tuple[str, str], first: date, last: date, of: Sequence[str] | None
    ) -> list[Mapping[str, Any]]:
        path, by = of_kind
        between: dict[str, str | int] = {f"{by}.gte": str(first), f"{by}.lte": str(last), "limit": _PAGE}
        rows: list[Any] = []
        for names in [{}] if of is None else _names(of):
            rows += await self._pages(path, {**between, **names})
        return [row for row in rows if isinstance(row, Mapping)]

    async def _of_all(self, path: str, query: Mapping[str, str | int]) -> Any:
        try:
            return (await self._session.get(path, **query)).body
        except NotFound as error:
            raise OutOfOrder(f"404 for {path}: {error}") from None

    async def _pages(self, path: str, query: Mapping[str, str | int]) -> list[Any]:
        rows: list[Any] = []
        for _ in range(MAX_PAGES):
            body = await self._of_all(path, query)
            rows += _results(body)
            cursor = _cursor(body)
            if cursor is None:
                return rows
            # Only where it goes on is taken from the address of the next page: the key goes to the host that we know.
            query = {"cursor": cursor}
        raise Malformed(f"more than {MAX_PAGES} pages of {path}")


def _day_of(row: Any) -> date | None:
    milliseconds = number(row.get("t")) if isinstance(row, Mapping) else math.nan
    try:
        return datetime.fromtimestamp(milliseconds / 1000.0, _ZONE).date()
    except (ValueError, OverflowError, OSError):
        return None


def _results(body: Any) -> list[Any]:
    # Of what it does not know there are no results; under load they have been seen to be null.
    if not isinstance(body, Mapping):
        raise Malformed(f"no object but {type(body).__name__}")
    if body.get("status") == "NOT_AUTHORIZED":
        raise NotEntitled(str(body.get("message"))[:100])
    if body.get("status") not in ("OK", "DELAYED"):
        raise OutOfOrder(f"status {str(body.get('status'))[:20]!r}")
    return rows_of(body["results"]) if "results" in body else []


def _bars_of(session: date) -> str:
    return f"{_BARS}{session}"


def _months(first: date, last: date) -> Iterator[tuple[date, date]]:
    month = first.replace(day=1)
    while month <= last:
        following = (month + timedelta(days=31)).replace(day=1)
        yield month, following - timedelta(days=1)
        month = following


def _cursor(body: Mapping[str, Any]) -> str | None:
    url = body.get("next_url")
    try:
        return parse_qs(urlsplit(url).query)["cursor"][0] if isinstance(url, str) else None
    except (ValueError, KeyError):
        return None


def _names(symbols: Sequence[str]) -> Iterator[dict[str, str]]:
    for start in range(0, len(symbols), SYMBOLS_A_REQUEST):
        yield {"ticker.any_of": ",".join(symbols[start : start + SYMBOLS_A_REQUEST])}


def _quoted(row: Mapping[str, Any]) -> str:
    return repr({name: row[name] for name in sorted(row) if name not in {"id", "ticker"}})[:120]
