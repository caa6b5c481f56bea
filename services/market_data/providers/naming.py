"""Providers are asked under their names of shares, and their answers are given under those that were asked for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Protocol, Self, TypeVar

import numpy as np

from services.market_data.core.actions import CorporateAction
from services.market_data.core.findings import Finding
from services.market_data.core.names import Names, Span, is_contract
from services.market_data.core.raw_bars import RawBars
from services.market_data.core.tiers import EVERY_TIER, EVERYTHING, DueTiers, Tiers
from services.market_data.providers.provider import (
    BarProvider,
    FetchedBars,
    FetchedProfiles,
    FetchedStatements,
    Kind,
    Listed,
    ListingProvider,
    ProfileProvider,
    StatementProvider,
)
from shared.arrays import IntArray
from shared.unavailable import Reason, Unavailable

T = TypeVar("T", FetchedBars, FetchedProfiles, FetchedStatements)
Way = tuple[Span, ...]

# What was traded on one session was listed about then.
LISTED_FOR: Final = timedelta(days=31)

PRIVATE: Final = Unavailable(Reason.MISSING_DATA, "not asked: a private name")
NO_OPTIONS: Final = Unavailable(Reason.MISSING_DATA, "not asked: it has none of options")
NOTHING_THEN: Final = Unavailable(Reason.MISSING_DATA, "nothing under the name that it had then")


class Register(Protocol):
    """Where the names of shares are kept."""

    async def names(self) -> Names:
        """Return them as they are now."""


class NoRegister:
    """Nobody has been renamed."""

    async def names(self) -> Names:
        """Return none but what the spelling says."""
        return Names()


async def bars_of(
    provider: BarProvider, symbols: Sequence[str], names: Names, *, first: date, last: date
) -> FetchedBars:
    """Return the rows of symbols on [first, last], each day's under the name that it has there."""
    naming = _Naming.of(symbols, names, provider.name, first=first, last=last)
    fetched = await provider.fetch_bars(naming.asked, first, last) if naming.asked else _no_bars(provider.name)
    return fetched if naming.is_plain else naming.bars(fetched)


async def sources_of(
    provider: BarProvider, symbols: Sequence[str], names: Names, *, first: date, last: date
) -> FetchedBars:
    """Return which symbols a provider has on [first, last], a row each, and what it says of the others.

    Where it keeps a list of what was traded about then, it is not asked.
    """
    listed = await provider.listed() if isinstance(provider, ListingProvider) else None
    if listed is None or last < listed.session - LISTED_FOR or any(map(is_contract, symbols)):
        return await bars_of(provider, symbols, names, first=first, last=last)
    return await bars_of(_List(provider.name, listed), symbols, names, first=first, last=last)


async def profiles_of(
    provider: ProfileProvider, symbols: Sequence[str], names: Names, tiers: DueTiers = EVERYTHING
) -> FetchedProfiles:
    """Return the profiles of symbols, at least what is due of each."""
    naming = _Naming.of(symbols, names, provider.name, contracts=False)
    due = naming.due(tiers)
    fetched = (
        await provider.fetch_profiles(naming.asked, due) if naming.asked else FetchedProfiles(provider.name, {}, {})
    )
    if naming.is_plain:
        return fetched
    found = naming.chosen(fetched.profiles)
    profiles = {symbol: fetched.profiles[name].model_copy(update={"symbol": symbol}) for symbol, name in found.items()}
    return replace(naming.explained(fetched, found), profiles=profiles)


async def statements_of(provider: StatementProvider, symbols: Sequence[str], names: Names) -> FetchedStatements:
    """Return the statements of symbols."""
    naming = _Naming.of(symbols, names, provider.name, contracts=False)
    fetched = (
        await provider.fetch_statements(naming.asked) if naming.asked else FetchedStatements(provider.name, {}, {})
    )
    if naming.is_plain:
        return fetched
    found = naming.chosen(fetched.statements)
    statements = {
        symbol: [replace(each, period=replace(each.period, symbol=symbol)) for each in fetched.statements[name]]
        for symbol, name in found.items()
    }
    return replace(naming.explained(fetched, found), statements=statements)


@dataclass(frozen=True, slots=True)
class _List:
    """A provider that looks up what was traded."""

    name: str
    listed: Listed

    async def edition(self, _: Kind) -> str:
        return str(self.listed.session)

    async def fetch_bars(self, symbols: Sequence[str], _: date, last: date) -> FetchedBars:
        found = [symbol for symbol in symbols if symbol in self.listed.symbols]
        days = np.full(len(found), min(self.listed.session, last), dtype="datetime64[D]")
        rows = RawBars.of(found, np.arange(len(found)), days, columns={})
        detail = f"not among the {len(self.listed.symbols):,} symbols of {self.name} on {self.listed.session}"
        said = Unavailable(Reason.MISSING_DATA, detail)
        return FetchedBars(self.name, rows, dict.fromkeys([each for each in symbols if each not in found], said))


@dataclass(frozen=True, slots=True)
class _Naming:
    """By which of a provider's names each symbol goes; `asked` are all of them."""

    ways: Mapping[str, Sequence[Way]]
    asked: Sequence[str]

    @classmethod
    def of(
        cls,
        symbols: Sequence[str],
        names: Names,
        provider: str,
        *,
        first: date = date.max,
        last: date = date.max,
        contracts: bool = True,
    ) -> Self:
        ways = {
            symbol: [
                tuple(span for span in way if span.first_day <= last and span.last_day >= first)
                for way in (names.ways(symbol, provider) if contracts or not is_contract(symbol) else ())
            ]
            for symbol in symbols
        }
        return cls(ways, list(dict.fromkeys(span.name for each in ways.values() for way in each for span in way)))

    @property
    def is_plain(self) -> bool:
        return all(len(ways) == 1 and [span.name for span in ways[0]] == [symbol] for symbol, ways in self.ways.items())

    def due(self, tiers: DueTiers) -> DueTiers:
        """Return what is due under each of the provider's names."""
        due: dict[str, Tiers] = {}
        for symbol, ways in self.ways.items():
            for name in (span.name for way in ways for span in way):
                due[name] = due.get(name, frozenset()) | tiers.get(symbol, EVERY_TIER)
        return due

    def chosen(self, found: Mapping[str, object]) -> dict[str, str]:
        """Return the name of each symbol of which something was found."""
        return {
            symbol: name
            for symbol, ways in self.ways.items()
            if (name := next((way[-1].name for way in ways if way[-1].name in found), None)) is not None
        }

    def bars(self, fetched: FetchedBars) -> FetchedBars:
        places = dict(_rows_of(fetched.rows))
        found: dict[str, IntArray] = {}
        for symbol, ways in self.ways.items():
            # Half of a history is none: what the provider failed on may be the other half.
            if any(span.name in fetched.failed for way in ways for span in way):
                continue
            kept = next((part for way in ways if len(part := _within(fetched.rows, places, way))), None)
            if kept is not None:
                found[symbol] = kept
        code = np.repeat(np.arange(len(found)), [len(rows) for rows in found.values()])
        rows = fetched.rows.take(np.concatenate([np.empty(0, dtype=np.int64), *found.values()]))
        actions = tuple(self._acting(fetched.actions, found))
        return replace(
            self.explained(fetched, found), rows=replace(rows, symbols=tuple(found), code=code), actions=actions
        )

    def _acting(self, actions: Iterable[CorporateAction], found: Iterable[str]) -> Iterator[CorporateAction]:
        spans = [(symbol, span) for symbol in found for way in self.ways[symbol] for span in way]
        for each in actions:
            for symbol, span in spans:
                if span.name == each.symbol and span.first_day <= each.ex_day <= span.last_day:
                    yield replace(each, symbol=symbol)

    def explained(self, fetched: T, found: Iterable[str]) -> T:
        """Return what is said of the symbols that nothing was found of, and of what was set aside."""
        failed: dict[str, str] = {}
        not_entitled: set[str] = set()
        unavailable: dict[str, Unavailable] = {}
        for symbol in self.ways.keys() - set(found):
            spans = [span.name for way in self.ways[symbol] for span in way]
            why = next((fetched.failed[name] for name in spans if name in fetched.failed), None)
            if why is not None:
                failed[symbol] = why
                not_entitled |= {symbol} if any(name in fetched.not_entitled for name in spans) else set()
                continue
            nothing = NOTHING_THEN if spans else NO_OPTIONS if is_contract(symbol) else PRIVATE
            said = next((fetched.unavailable[name] for name in spans if name in fetched.unavailable), nothing)
            others = [name for name in dict.fromkeys(spans) if name != symbol]
            unavailable[symbol] = replace(said, detail=f"{said.detail}{_as(others)}")
        return replace(
            fetched,
            failed=failed,
            unavailable=unavailable,
            findings=tuple(self._named(fetched.findings)),
            not_entitled=not_entitled,
        )

    def _named(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        symbols = defaultdict[str | None, list[str | None]](list)
        for symbol, ways in self.ways.items():
            for name in dict.fromkeys(span.name for way in ways for span in way):
                symbols[name].append(symbol)
        for finding in findings:
            for held in symbols.get(finding.symbol, [finding.symbol]):
                yield replace(finding, symbol=held)


def _no_bars(provider: str) -> FetchedBars:
    nothing = RawBars.of((), np.empty(0, dtype=np.int64), np.empty(0, dtype="datetime64[D]"), columns={})
    return FetchedBars(provider, nothing, {})


def _rows_of(rows: RawBars) -> Iterator[tuple[str, IntArray]]:
    order = np.argsort(rows.code, kind="stable")
    bounds = np.searchsorted(rows.code[order], np.arange(len(rows.symbols) + 1))
    for place, name in enumerate(rows.symbols):
        yield name, order[bounds[place] : bounds[place + 1]]


def _within(rows: RawBars, places: Mapping[str, IntArray], way: Way) -> IntArray:
    parts = [np.empty(0, dtype=np.int64)]
    for span in way:
        of_name = places.get(span.name, parts[0])
        days = rows.day[of_name]
        parts.append(of_name[(days >= np.datetime64(span.first_day)) & (days <= np.datetime64(span.last_day))])
    return np.concatenate(parts)


def _as(names: Sequence[str]) -> str:
    return f" (asked for as {', '.join(names)})" if names else ""
