"""The providers in order of preference: the first one that knows a symbol answers, alone but for facts of profiles."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from services.market_data.core.actions import CorporateAction
from services.market_data.core.attempts import Attempt, Lacking, Outcome
from services.market_data.core.bars import Bars
from services.market_data.core.breaking import Failure
from services.market_data.core.findings import Finding
from services.market_data.core.names import Identifier
from services.market_data.core.open_interest import OpenInterest
from services.market_data.core.tiers import EVERY_TIER, EVERYTHING, DueTiers, facts_of
from services.market_data.providers.checked_profiles import checked_profiles
from services.market_data.providers.checked_statements import checked_statements
from services.market_data.providers.gate import AlwaysOpen, Gate
from services.market_data.providers.naming import NoRegister, Register, bars_of, profiles_of, sources_of, statements_of
from services.market_data.providers.progress import Attempts, Progress
from services.market_data.providers.provider import (
    BarProvider,
    FetchedBars,
    FetchedInterest,
    FetchedNames,
    FetchedProfiles,
    FetchedRates,
    FetchedStatements,
    InterestProvider,
    Kind,
    NameProvider,
    ProfileProvider,
    Provider,
    ProviderError,
    RateProvider,
    StatementProvider,
)
from shared.metrics.catalogue import PROVIDER_CALLS, PROVIDER_SECONDS
from shared.metrics.service_metrics import ServiceMetrics
from shared.unavailable import Unavailable


class NotAsked(ProviderError):
    """A provider that has failed before is not asked."""


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """The good rows of an answer, what was wrong with the others, and the symbols that lack what was asked by that."""

    bars: Bars
    findings: tuple[Finding, ...]
    refused: Mapping[str, Unavailable]


@dataclass(frozen=True, slots=True, eq=False)
class CheckedAnswer:
    """What a provider gave, as it passed the checks; a symbol whose rows were rejected is unavailable.

    `findings` are of all its rows, also those that could not even be read; `failed` on which it failed and why,
    `failure` on which the asking ended, `actions` what it tells of what companies did, `rejected` those of the
    unavailable that it does have, `not_entitled` those of the failed that the plan does not have.
    """

    provider: str
    bars: Bars
    unavailable: Mapping[str, Unavailable] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None
    actions: tuple[CorporateAction, ...] = ()
    not_entitled: Collection[str] = ()
    rejected: Collection[str] = ()


# Of which symbols each provider is known to have nothing, and what is said of them instead of asking.
Absent = Mapping[str, Mapping[str, Attempt]]
NOTHING_ABSENT: Final[Absent] = MappingProxyType({})
Check = Callable[[FetchedBars], Checked]
Cell = tuple[str, date]  # symbol, session
Answer = TypeVar(
    "Answer",
    CheckedAnswer,
    FetchedBars,
    FetchedInterest,
    FetchedNames,
    FetchedProfiles,
    FetchedStatements,
    FetchedRates,
)
Given = TypeVar("Given", CheckedAnswer, FetchedBars, FetchedProfiles, FetchedStatements, FetchedRates)
Asked = TypeVar("Asked", bound=Provider)


@dataclass(frozen=True, slots=True)
class Chained(Generic[Given]):
    """The answer of each provider that was reached, and what was tried in vain.

    Of disjoint symbols (or series), but for profiles: there a later answer may have what an earlier one lacks. Of bars
    also, unanswered, what else the first provider had of a symbol of which nobody had a good row of what was asked.
    """

    answers: tuple[Given, ...]
    attempts: Attempts


def _nothing(_: Provider) -> Collection[str]:
    return ()


class ProviderChain:
    """Asks the providers one after the other for what is still missing.

    Within one call a symbol is answered by exactly one provider, so two adjustment bases never meet in one series.
    Between calls the answering provider can change: bars of another source than the stored ones replace the whole
    history, they are not appended.

    Parameters
    ----------
    providers : sequence of Provider
        In the order in which they are asked, each for what it has.
    order : mapping of Kind to sequence of str, optional
        Who is asked for a kind, where that is not everybody who has it.
    metrics : ServiceMetrics, optional
        What is counted of the calls.
    gate : Gate, optional
        Who is not asked at the moment.
    register : Register, optional
        What shares are called.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        order: Mapping[Kind, Sequence[str]] = MappingProxyType({}),
        metrics: ServiceMetrics | None = None,
        gate: Gate | None = None,
        register: Register | None = None,
    ) -> None:
        def those_for(kind: Kind) -> list[Provider]:
            if kind not in order:
                return list(providers)
            return [provider for name in order[kind] for provider in providers if provider.name == name]

        self._bars = [each for each in those_for(Kind.BARS) if isinstance(each, BarProvider)]
        self._profiles = [each for each in those_for(Kind.PROFILES) if isinstance(each, ProfileProvider)]
        self._statements = [each for each in those_for(Kind.STATEMENTS) if isinstance(each, StatementProvider)]
        self._rates = [each for each in those_for(Kind.RATES) if isinstance(each, RateProvider)]
        self._asked: dict[Kind, Sequence[Provider]] = {
            Kind.BARS: self._bars,
            Kind.PROFILES: self._profiles,
            Kind.STATEMENTS: self._statements,
            Kind.RATES: self._rates,
        }
        self._gate = gate or AlwaysOpen()
        self._register = register or NoRegister()
        self._metrics = metrics or ServiceMetrics("market_data")
        for kind, asked in self._asked.items():
            for provider in asked:
                for outcome in ("answered", "failed"):
                    self._metrics.add(PROVIDER_CALLS, provider.name, kind, outcome, amount=0)

    def asks_for(self, kind: Kind) -> bool:
        """Tell whether there is a provider of a kind."""
        return bool(self._asked[kind])

    def names(self, kind: Kind) -> list[str]:
        """Return who is asked for a kind, in order."""
        return [provider.name for provider in self._asked[kind]]

    def late(self, session: date) -> dict[str, str]:
        """Return who does not have the bars of a session yet, and until when."""
        said = {provider.name: self._gate.late(provider.name, session) for provider in self._bars}
        return {name: why for name, why in said.items() if why is not None}

    def first(self, kind: Kind) -> str | None:
        """Return who is asked first for a kind."""
        return next((provider.name for provider in self._asked[kind]), None)

    async def edition(self, kind: Kind) -> str:
        """Return a text that changes when a provider's answers of a kind may have changed without time passing."""
        editions = []
        for provider in self._asked[kind]:
            try:
                edition = await provider.edition(kind)
            except ProviderError as error:
                edition = type(error).__name__
            editions.append(f"{provider.name}={edition}")
        return ";".join(editions)

    async def fetch_bars(
        self, symbols: Sequence[str], first: date, last: date, check: Check, absent: Absent = NOTHING_ABSENT
    ) -> Chained[CheckedAnswer]:
        """Return the bars of each distinct symbol on [first, last] from the first provider that has a good one."""
        second_best: dict[str, CheckedAnswer] = {}
        names = await self._register.names()

        async def ask(provider: BarProvider, remaining: Sequence[str]) -> CheckedAnswer:
            fetched = await bars_of(provider, remaining, names, first=first, last=last)
            checked = check(fetched)
            bad = checked.refused
            for symbol in bad.keys() & set(checked.bars.symbols):
                second_best.setdefault(symbol, CheckedAnswer(provider.name, checked.bars.select([symbol])))
            good = [symbol for symbol in checked.bars.symbols if symbol not in bad]
            unavailable = {**fetched.unavailable, **bad}
            findings = (*fetched.findings, *checked.findings)
            return CheckedAnswer(
                provider.name,
                checked.bars.select(good),
                unavailable,
                findings,
                fetched.failed,
                fetched.failure,
                fetched.actions,
                fetched.not_entitled,
                rejected=bad.keys() - fetched.unavailable.keys(),
            )

        answers, attempts = await self._ask_in_turn(Kind.BARS, self._bars, symbols, ask, absent)
        # What else the first one has is better than nothing, and no answer to what was asked.
        rest = (second_best[symbol] for symbol in attempts.unanswered if symbol in second_best)
        return Chained((*answers, *rest), attempts)

    async def closes_elsewhere(
        self, cells: Iterable[Cell], source: Mapping[str, str], absent: Absent = NOTHING_ABSENT
    ) -> AsyncIterator[tuple[str, Mapping[Cell, float]]]:
        """Yield what the providers that are not the source of a symbol say of the closes of some of its sessions.

        Parameters
        ----------
        cells : iterable of (symbol, session)
        source : mapping of symbol to provider
        absent : mapping of provider to mapping of symbol
        """
        wanted = sorted(cells)
        first, last = min(day for _, day in wanted), max(day for _, day in wanted)
        names = await self._register.names()
        for provider in self._bars:
            others = {symbol for symbol, _ in wanted if source.get(symbol) != provider.name}
            symbols = sorted(others - absent.get(provider.name, {}).keys())
            if not symbols:
                continue
            asking = bars_of(provider, symbols, names, first=first, last=last)
            try:
                rows = (await self._ask(Kind.BARS, provider, asking)).rows
            except ProviderError:
                continue
            named = zip((rows.symbols[code] for code in rows.code), rows.day.tolist(), strict=True)
            yield provider.name, dict(zip(named, rows.close.tolist(), strict=True))

    async def find_sources(self, symbols: Sequence[str], first: date, last: date) -> dict[str, str | Unavailable]:
        """Return the first provider that has a bar of each symbol on [first, last], good or not, or why none has."""
        names = await self._register.names()

        async def ask(provider: BarProvider, remaining: Sequence[str]) -> FetchedBars:
            return await sources_of(provider, remaining, names, first=first, last=last)

        answers, attempts = await self._ask_in_turn(Kind.BARS, self._bars, symbols, ask, NOTHING_ABSENT)
        served = {symbol: answer.provider for answer in answers for symbol in answer.rows.symbols}
        return {**attempts.unavailable, **served}

    async def fetch_profiles(
        self, symbols: Sequence[str], absent: Absent = NOTHING_ABSENT, tiers: DueTiers = EVERYTHING
    ) -> Chained[FetchedProfiles]:
        """Return the profile of each distinct symbol from the first provider that has one with any fact in it.

        What is due and not in it is asked of the next ones that may have it, unless it is only valuations.
        """
        names = await self._register.names()
        wanted = {symbol: set(facts_of(tiers.get(symbol, EVERY_TIER))) for symbol in symbols}

        async def ask(provider: ProfileProvider, remaining: Sequence[str]) -> FetchedProfiles:
            fetched = checked_profiles(await profiles_of(provider, remaining, names, tiers))
            for symbol, facts in fetched.profiles.items():
                wanted[symbol] -= facts.model_dump(exclude_none=True).keys()
            return fetched

        def lacking(provider: ProfileProvider) -> list[str]:
            return [symbol for symbol in wanted if wanted[symbol] & provider.facts]

        return Chained(*await self._ask_in_turn(Kind.PROFILES, self._profiles, symbols, ask, absent, lacking=lacking))

    async def fetch_statements(
        self, symbols: Sequence[str], today: date, absent: Absent = NOTHING_ABSENT
    ) -> Chained[FetchedStatements]:
        """Return the statements of each distinct symbol from the first provider that has a good one by `today`."""
        names = await self._register.names()

        async def ask(provider: StatementProvider, remaining: Sequence[str]) -> FetchedStatements:
            fetched = await statements_of(provider, remaining, names)
            # Seconds of work where a whole file is new: other handlers and the heartbeats go on meanwhile.
            return await asyncio.to_thread(checked_statements, fetched, today)

        return Chained(*await self._ask_in_turn(Kind.STATEMENTS, self._statements, symbols, ask, absent))

    async def fetch_rates(self, series: Sequence[str], first: date, last: date) -> Chained[FetchedRates]:
        """Return the rates of each distinct series on [first, last] from the first provider that has any."""

        async def ask(provider: RateProvider, remaining: Sequence[str]) -> FetchedRates:
            return await provider.fetch_rates(remaining, first, last)

        return Chained(*await self._ask_in_turn(Kind.RATES, self._rates, series, ask, NOTHING_ABSENT))

    async def find_names(self, symbols: Mapping[str, date]) -> tuple[str, Sequence[Identifier]]:
        """Return what the first provider of bars that tells it says of how shares with these symbols were called."""
        for provider in self._bars:
            if isinstance(provider, NameProvider):
                with suppress(ProviderError):
                    found = await self._ask(Kind.BARS, provider, provider.fetch_names(symbols))
                    return provider.name, found.identifiers
        return "", ()

    async def find_open_interest(
        self, options: Sequence[str], first: date, last: date
    ) -> tuple[str, Sequence[OpenInterest]]:
        """Return what the first provider of bars that tells it says of how many contracts of options were open."""
        for provider in self._bars:
            if isinstance(provider, InterestProvider):
                with suppress(ProviderError):
                    asking = provider.fetch_open_interest(options, first, last)
                    return provider.name, (await self._ask(Kind.BARS, provider, asking)).told
        return "", ()

    async def _ask_in_turn(
        self,
        kind: Kind,
        providers: Sequence[Asked],
        symbols: Sequence[str],
        ask: Callable[[Asked, Sequence[str]], Coroutine[Any, Any, Given]],
        absent: Absent,
        lacking: Callable[[Asked], Collection[str]] = _nothing,
    ) -> tuple[tuple[Given, ...], Attempts]:
        progress = Progress(list(dict.fromkeys(symbols)))
        answers: list[Given] = []
        for provider in providers:
            known = absent.get(provider.name, {})
            # What an answer lacks goes with what has none.
            wanted = set(progress.remaining).union(lacking(provider))
            asked = [symbol for symbol in dict.fromkeys(symbols) if symbol in wanted and symbol not in known]
            if not asked:
                progress.go_on(known)
                continue
            try:
                answer = await self._ask(kind, provider, ask(provider, asked))
            except ProviderError as error:
                outcome = Outcome.NOT_ASKED if isinstance(error, NotAsked) else Outcome.FAILED
                failed = dict.fromkeys(asked, Attempt(provider.name, str(error), outcome))
                progress.go_on({**failed, **known}, asked)
                continue
            answers.append(answer)
            progress.go_on({**_in_vain(answer), **known}, asked)
        return tuple(answers), progress.attempts()

    async def _ask(self, kind: Kind, provider: Provider, asking: Coroutine[Any, Any, Answer]) -> Answer:
        refusal = await self._gate.refusal(provider.name, kind)
        if refusal is not None:
            asking.close()
            raise NotAsked(refusal)
        try:
            with self._counted(provider, kind):
                answer = await asking
        except ProviderError as error:
            if error.failure is not None:
                await self._gate.note(provider.name, kind, error.failure)
            raise
        await self._gate.note(provider.name, kind, answer.failure)
        return answer

    @contextmanager
    def _counted(self, provider: Provider, kind: Kind) -> Iterator[None]:
        began, outcome = time.perf_counter(), "failed"
        try:
            yield
            outcome = "answered"
        finally:
            self._metrics.add(PROVIDER_CALLS, provider.name, kind, outcome)
            self._metrics.observe(PROVIDER_SECONDS, time.perf_counter() - began, provider.name, kind)


def _in_vain(answer: Given) -> dict[str, Attempt]:
    """Return what a provider has said of the symbols that it gave nothing of."""
    name, rejected = answer.provider, answer.rejected if isinstance(answer, CheckedAnswer | FetchedStatements) else ()
    absent = {
        symbol: Attempt(name, said.detail, lacking=None if symbol in rejected else Lacking.UNKNOWN)
        for symbol, said in answer.unavailable.items()
    }
    failed = {
        symbol: Attempt(
            name, said, Outcome.FAILED, lacking=Lacking.NOT_ENTITLED if symbol in answer.not_entitled else None
        )
        for symbol, said in answer.failed.items()
    }
    return absent | failed
