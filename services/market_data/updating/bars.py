"""The bars of a shard: those that are missing, fetched, checked and stored; of a restated history all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final
from uuid import UUID

import numpy as np

from services.market_data.core.absences import lacking_bars
from services.market_data.core.actions import CorporateAction
from services.market_data.core.adjustment import adjustment_changed
from services.market_data.core.attempts import Attempt, Lacking
from services.market_data.core.bar_checks import Request, check_rows
from services.market_data.core.bars import Bars, RevisedBars
from services.market_data.core.corrections import CorrectedSpan, corrected_spans
from services.market_data.core.findings import Finding
from services.market_data.core.judging import Judged, derived_symbols, held_back, with_derived
from services.market_data.core.lateness import waiting_for
from services.market_data.core.plans import BY_SESSION, PLANS
from services.market_data.core.second_origin import differing, whose_turn
from services.market_data.core.window import planning_window, sessions_array
from services.market_data.providers.chain import Absent, Checked, ProviderChain
from services.market_data.providers.provider import FetchedBars, Kind
from services.market_data.storage.absence_repository import AbsenceRepository
from services.market_data.storage.action_repository import ActionRepository
from services.market_data.storage.attempt_repository import AttemptRepository
from services.market_data.storage.repository import MarketDataRepository
from services.market_data.updating.absences import KnownAbsences, Lacked, lacked, load_known
from services.market_data.updating.judging import Bench
from services.market_data.updating.planning import still_lacking
from shared.arrays import BoolArray, DateArray
from shared.calendar import session_ordinals
from shared.clock import SessionClock
from shared.contracts.market_data import MarketDataDue
from shared.db.unit_of_work import UnitOfWork
from shared.unavailable import Unavailable

_NO_NEW: Final = "no new bars"


@dataclass(frozen=True, slots=True)
class RefreshedBars:
    """What has changed in the store.

    Attributes
    ----------
    sessions : ndarray of datetime64[D]
        On which a bar of a history that goes on is new or differs.
    restated : tuple of RevisedBars
        The whole histories that were replaced.
    corrected : tuple of CorrectedSpan
        Where what was announced before is no longer so.
    revision : int
        Of what has changed.
    """

    sessions: DateArray
    restated: tuple[RevisedBars, ...] = ()
    corrected: tuple[CorrectedSpan, ...] = ()
    revision: int = 0


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of asking for the bars of some symbols.

    Attributes
    ----------
    bars : Bars
        Accepted bars on every session asked for, as they were delivered.
    source : mapping of symbol to provider
    findings : tuple of Finding
        What was rejected and why.
    unavailable : mapping of symbol to Unavailable
        The symbols that no provider answered for.
    undecided : frozenset of symbol
        Those of them on which a provider failed: nothing is settled.
    tried : mapping of symbol to sequence of Attempt
        Who was asked in vain.
    actions : mapping of provider to sequence of CorporateAction
    """

    bars: Bars
    source: Mapping[str, str]
    findings: tuple[Finding, ...] = ()
    unavailable: Mapping[str, Unavailable] = field(default_factory=dict)
    undecided: frozenset[str] = frozenset()
    tried: Mapping[str, Sequence[Attempt]] = field(default_factory=dict)
    actions: Mapping[str, Sequence[CorporateAction]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Span:
    """The sessions to fetch; rows after `newest`, the last closed session, are from the future.

    `wanted` are those of the run: around them others are fetched, to see whether the history goes on.
    """

    first: date
    last: date
    newest: date
    wanted: DateArray

    @property
    def is_current(self) -> bool:
        """Whether what nobody has now is asked for."""
        return self.last >= self.newest


@dataclass(frozen=True, slots=True)
class _Shard:
    """What the bars of a shard are refreshed with, and who gave those that are stored."""

    event: MarketDataDue
    repository: MarketDataRepository
    bench: Bench
    window: DateArray
    clock: SessionClock
    source: Mapping[str, str]
    revision: int

    async def keep(self, judged: Judged, outcomes: Sequence[_Outcome], *, restated: bool) -> RefreshedBars:
        """Store what was judged, and tell what is new in it."""
        used, first_session = judged.used, self.event.run.first_session
        stored = await self.repository.load_bars(used.symbols, used.sessions)
        rescaled = adjustment_changed(stored.adjusted, used.adjusted) | restated
        whole = [symbol for symbol, changed in zip(used.symbols, rescaled.tolist(), strict=True) if changed]
        corrected = corrected_spans(stored, used, before=first_session, held=judged.held)
        source = {**self.source, **{symbol: name for each in outcomes for symbol, name in each.source.items()}}
        if judged.whole:
            await self.bench.repository.store_judged(judged, source=source, run_id=self.event.run.run_id)
        await self.bench.repository.store_derived(judged.delivered)
        await self.repository.store_bars(used, source=source, fetched_at=self.clock.now(), revision=self.revision)
        changed = _changed_sessions(judged, stored, but=rescaled)
        histories = (await self.repository.load_revised(whole, used.sessions),) if whole else ()
        return RefreshedBars(changed, histories, corrected, self.revision)


async def refresh_bars(
    event: MarketDataDue, uow: UnitOfWork, chain: ProviderChain, clock: SessionClock
) -> RefreshedBars:
    """Fetch the bars that the shard lacks, where it lacks any, judge them, and store what is new.

    What an operator has decided since about bars that are stored is applied, fetched or not.
    """
    window = planning_window(event.run.first_session, event.run.last_session)
    if event.kept_since is not None:
        window = sessions_array(event.kept_since, event.run.last_session)
    repository, bench = MarketDataRepository(uow.connection), Bench.of(uow, chain)
    waiting = await bench.repository.load_waiting(event.symbols)
    if event.fetch_first is None and not waiting:
        return RefreshedBars(window[:0])
    # Before anything is asked or read: who asks later knows better.
    revision = await repository.begin_revision(event.symbols)
    shard = _Shard(event, repository, bench, window, clock, await repository.load_sources(event.symbols), revision)
    # Another run may have fetched them since they were planned; whoever names another window wants that.
    lacking: Sequence[str] = event.symbols
    if event.kept_since is not None and event.fetch_first is not None:
        lacking = await still_lacking(uow.connection, chain, lacking, window, event.run.first_session)
    found = await _found(shard, lacking)
    if event.fetch_first is None or not lacking:
        judged = await bench.judge_beside_stored(Bars.blank(window[:0], ()), waiting, shard.source)
        return _together([found, *[await shard.keep(each, (), restated=False) for each in judged]])

    span = _Span(
        first=event.fetch_first,
        last=event.fetch_last or window[-1].item(),
        newest=clock.last_closed_session(),
        wanted=sessions_array(event.run.first_session, event.run.last_session),
    )
    edition = await chain.edition(Kind.BARS)
    known = await load_known(uow, Kind.BARS, event.symbols, clock.now())
    absences = known if span.is_current else known.of_the_past()
    absent, resting = _not_asked(absences, chain, shard, span), absences.resting(shard.source)
    fetched = await _fetch(chain, [symbol for symbol in lacking if symbol not in resting], span, absent)
    restated = await _restated_symbols(fetched, shard)
    going_on = fetched.bars.select([symbol for symbol in fetched.bars.symbols if symbol not in restated])
    judged = await bench.judge_beside_stored(going_on, waiting - {*restated}, {**shard.source, **fetched.source})
    outcomes = [fetched]
    refreshed = [await shard.keep(each, outcomes, restated=False) for each in judged]
    if restated:
        whole = await _whole(span, restated, shard)
        # Nobody is asked again for what is all there.
        again = fetched if whole == span else await _fetch(chain, restated, whole, absent)
        outcomes += [again] if again is not fetched else []
        bars = fetched.bars.select(restated) if again is fetched else again.bars
        judged.append(await bench.judge_whole(bars, again.source))
        refreshed.append(await shard.keep(judged[-1], outcomes, restated=True))
    await _store_told(uow, outcomes, run_id=event.run.run_id)
    findings = await _against_another_origin(fetched, chain, span, absent)
    await repository.store_findings(findings, run_id=event.run.run_id)
    tried = {symbol: attempts for outcome in outcomes for symbol, attempts in outcome.tried.items()}
    tried |= {symbol: [attempt] for symbol, attempt in resting.items()}
    await AttemptRepository(uow.connection).store_attempts(Kind.BARS, tried, asked=lacking, run=event.run)
    if span.is_current:
        await absences.keep(uow, await _lacked(uow, fetched, span, shard.source), fetched.source.items())
    await _settle(shard, lacking, outcomes, held_back(judged, span.wanted), edition=edition)
    return _together([found, *refreshed])


async def _found(shard: _Shard, lacking: Sequence[str]) -> RefreshedBars:
    """Return the histories that another run has fetched meanwhile: whose announcement is read first nobody knows."""
    fetched_here = set(lacking)
    symbols = [symbol for symbol in shard.event.symbols if symbol not in fetched_here]
    histories = (await shard.repository.load_revised(symbols, shard.window),) if symbols else ()
    return RefreshedBars(shard.window[:0], histories, (), shard.revision)


async def _store_told(uow: UnitOfWork, outcomes: Sequence[_Outcome], *, run_id: UUID) -> None:
    for outcome in outcomes:
        await MarketDataRepository(uow.connection).store_findings(outcome.findings, run_id=run_id)
        for provider, actions in outcome.actions.items():
            await ActionRepository(uow.connection).store_actions(actions, source=provider)


def _not_asked(absences: KnownAbsences, chain: ProviderChain, shard: _Shard, span: _Span) -> Absent:
    """Return of which symbols each vendor is not asked: it does not have them, or the newest session not yet."""
    absent = absences.waiting()
    late = waiting_for(chain.late(span.last), shard.event.symbols, shard.source, chain.names(Kind.BARS))
    return {vendor: {**absent.get(vendor, {}), **late.get(vendor, {})} for vendor in {**absent, **late}}


async def _lacked(uow: UnitOfWork, fetched: _Outcome, span: _Span, source: Mapping[str, str]) -> Lacked:
    """Return what vendors do not have; who gave the history, now or before, may only be late for some sessions."""
    newest = fetched.bars.between(span.newest, span.newest)
    traded = {newest.symbols[column] for column in np.flatnonzero(newest.present.any(axis=0))}
    ended = {(s, v): (Lacking.UNKNOWN, _NO_NEW) for s, v in fetched.source.items() if v in PLANS and s not in traded}
    said = {**ended, **lacked(fetched.tried)}
    gave = {symbol for symbol, vendor in said if vendor in {source.get(symbol), fetched.source.get(symbol)}}
    last = await AbsenceRepository(uow.connection).load_last_bars(sorted(gave))
    meant = {}
    for (symbol, vendor), (lacking, why) in said.items():
        own = last.get(symbol) if vendor in {source.get(symbol), fetched.source.get(symbol)} else None
        after_all = lacking_bars(lacking, own, span.newest)
        if after_all is not None:
            meant[symbol, vendor] = after_all, why
    return meant


async def _fetch(chain: ProviderChain, symbols: Sequence[str], span: _Span, absent: Absent) -> _Outcome:
    """Fetch the bars of the symbols over the span and check them one by one."""
    sessions = sessions_array(span.first, span.last)

    def check(fetched: FetchedBars) -> Checked:
        checked = check_rows(fetched.rows, Request(fetched.provider, sessions, span.newest))
        return Checked(checked.bars, checked.findings, checked.refused(span.wanted, fetched.findings))

    chained = await chain.fetch_bars(symbols, span.first, span.last, check, absent)
    bars = Bars.blank(sessions, ())
    for answer in chained.answers:
        bars = bars.merge(answer.bars)
    return _Outcome(
        bars,
        source={symbol: answer.provider for answer in chained.answers for symbol in answer.bars.symbols},
        findings=tuple(finding for answer in chained.answers for finding in answer.findings),
        unavailable=chained.attempts.unavailable,
        undecided=frozenset(chained.attempts.undecided),
        tried=chained.attempts.by_symbol,
        actions={answer.provider: answer.actions for answer in chained.answers if answer.actions},
    )


async def _against_another_origin(
    fetched: _Outcome, chain: ProviderChain, span: _Span, absent: Absent
) -> list[Finding]:
    # Of the newest session only, and of what vendors give: files are what somebody wants to be so.
    row = fetched.bars.between(span.newest, span.newest)
    if not row.present.any():
        return []
    given = {
        symbol: float(row.close[0, column])
        for column, symbol in enumerate(row.symbols)
        if row.present[0, column] and fetched.source.get(symbol) in PLANS
    }
    (number,) = session_ordinals([span.newest]).tolist()
    closes = {symbol: given[symbol] for symbol in whose_turn(list(given), number)}
    if not closes:
        return []
    cells = [(symbol, span.newest) for symbol in closes]
    async for other, seconds in chain.closes_elsewhere(cells, fetched.source, absent):
        others = {symbol: close for (symbol, day), close in seconds.items() if day == span.newest}
        if others:
            return differing(closes, others, session=span.newest, other=other, source=fetched.source)
    return []


async def _whole(span: _Span, restated: Sequence[str], shard: _Shard) -> _Span:
    # Of a restated symbol only the whole fetch is kept: it may be another provider's, on another basis. Beyond the
    # window, too: a bar left on the old basis would make a false return where the two meet.
    first, last = await shard.repository.find_extent(restated) or (span.first, span.last)
    return replace(span, first=min(first, shard.window[0].item()), last=max(last, span.last))


async def _restated_symbols(fetched: _Outcome, shard: _Shard) -> tuple[str, ...]:
    """Return the symbols whose stored history no longer goes with what was fetched.

    Their adjusted closes have been rescaled by a new split or dividend, or another provider answers now. Where a
    history costs a request and adjusted closes are derived here, they are derived anew from the closes that are stored.
    """
    symbols = [symbol for symbol in fetched.bars.symbols if symbol in fetched.source]
    if not symbols:
        return ()
    bars = with_derived(fetched.bars.select(symbols))
    stored = await shard.repository.load_bars(symbols, bars.sessions)
    rescaled = adjustment_changed(stored.adjusted, bars.adjusted)
    derived = set(derived_symbols(fetched.bars)) & await shard.bench.repository.load_derived(symbols)
    ours = {symbol for symbol in derived if fetched.source[symbol] in BY_SESSION}
    return tuple(
        symbol
        for symbol, changed in zip(symbols, rescaled.tolist(), strict=True)
        if (changed and symbol not in ours)
        or shard.source.get(symbol, fetched.source[symbol]) != fetched.source[symbol]
    )


def _moved(symbol: str, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    return before.get(symbol, now[symbol]) != now[symbol]


def _changed_sessions(judged: Judged, stored: Bars, *, but: BoolArray) -> DateArray:
    """Return the sessions on which a bar is new, differs from the stored one or counts no longer, `but` of some."""
    used = judged.used
    differs = stored.present & judged.held
    for name in ("close", "adjusted", "split", "dividend"):
        new: Any = getattr(used, name)
        differs |= used.present & (new != getattr(stored, name))
    sessions: DateArray = used.sessions[differs[:, ~but].any(axis=1)]
    return sessions


def _together(parts: Sequence[RefreshedBars]) -> RefreshedBars:
    return RefreshedBars(
        sessions=np.unique(np.concatenate([part.sessions for part in parts])),
        restated=tuple(history for part in parts for history in part.restated),
        corrected=tuple(span for part in parts for span in part.corrected),
        revision=max(part.revision for part in parts),
    )


async def _settle(
    shard: _Shard,
    symbols: Sequence[str],
    outcomes: Sequence[_Outcome],
    held: Mapping[str, Unavailable],
    *,
    edition: str,
) -> None:
    """Remember that the window is settled for the symbols on which no provider failed, and why some have no bars."""
    repository = shard.repository
    unavailable = {symbol: why for outcome in outcomes for symbol, why in outcome.unavailable.items()}
    undecided = frozenset[str]().union(*(outcome.undecided for outcome in outcomes))
    answered = np.array([symbol not in undecided for symbol in symbols])
    settled = (await repository.load_settled(symbols, edition=edition)).after(shard.window, answered)
    await repository.store_settled(symbols, settled, {**unavailable, **held}, edition=edition)
