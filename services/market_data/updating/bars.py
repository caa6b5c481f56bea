"""The bars of a shard: those that are missing, fetched, checked and stored; of a restated history all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np

from services.market_data.core.adjustment import adjustment_changed
from services.market_data.core.bar_checks import Request, check_rows
from services.market_data.core.bars import Bars
from services.market_data.core.corrections import CorrectedSpan, corrected_spans
from services.market_data.core.findings import Finding
from services.market_data.core.window import planning_window, sessions_array
from services.market_data.providers.chain import Checked, ProviderChain
from services.market_data.providers.provider import FetchedBars, Kind
from services.market_data.storage.repository import MarketDataRepository
from shared.arrays import DateArray
from shared.clock import SessionClock
from shared.contracts.market_data import MarketDataDue
from shared.db.unit_of_work import UnitOfWork
from shared.unavailable import Unavailable


@dataclass(frozen=True, slots=True)
class RefreshedBars:
    """What has changed in the store.

    Attributes
    ----------
    sessions : ndarray of datetime64[D]
        On which a bar of a history that goes on is new or differs.
    restated : Bars or None
        The whole histories that were replaced.
    corrected : tuple of CorrectedSpan
        Where what was announced before is no longer so.
    """

    sessions: DateArray
    restated: Bars | None = None
    corrected: tuple[CorrectedSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of asking for the bars of some symbols.

    Attributes
    ----------
    bars : Bars
        Accepted bars on every session asked for.
    source : mapping of symbol to provider
    findings : tuple of Finding
        What was rejected and why.
    unavailable : mapping of symbol to Unavailable
        The symbols that no provider answered for.
    undecided : frozenset of symbol
        Those of them on which a provider failed: nothing is settled.
    """

    bars: Bars
    source: Mapping[str, str]
    findings: tuple[Finding, ...] = ()
    unavailable: Mapping[str, Unavailable] = field(default_factory=dict)
    undecided: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Span:
    """The sessions to fetch; rows after `newest`, the last closed session, are from the future.

    `wanted` are those of the run: around them others are fetched, to see whether the history goes on.
    """

    first: date
    last: date
    newest: date
    wanted: DateArray


async def refresh_bars(
    event: MarketDataDue, uow: UnitOfWork, chain: ProviderChain, clock: SessionClock
) -> RefreshedBars:
    """Fetch the bars that the shard lacks, where it lacks any, and store what is new in them."""
    window = planning_window(event.run.first_session, event.run.last_session)
    if event.fetch_first is None:
        return RefreshedBars(window[:0])
    repository = MarketDataRepository(uow.connection)
    span = _Span(
        first=event.fetch_first,
        last=event.fetch_last or window[-1].item(),
        newest=clock.last_closed_session(),
        wanted=sessions_array(event.run.first_session, event.run.last_session),
    )
    edition = await chain.edition(Kind.BARS)
    fetched = await _fetch(chain, repository, event.symbols, span)
    stored = await repository.load_bars(event.symbols, fetched.bars.sessions)
    restated = _restated_symbols(fetched, stored, await repository.load_sources(event.symbols))
    continued = fetched.bars.select([symbol for symbol in fetched.bars.symbols if symbol not in restated])
    changed = _changed_sessions(continued, stored)
    corrected = corrected_spans(stored, continued, before=event.run.first_session)

    # Of a restated symbol only the whole fetch is kept: it may be another provider's, on another basis.
    outcomes = [replace(fetched, bars=continued)]
    if restated:
        # Beyond the window, too: a bar left on the old basis would make a false return where the two meet.
        first, last = await repository.load_extent(restated)
        whole = replace(span, first=min(first, window[0].item()), last=max(last, span.last))
        outcomes.append(await _fetch(chain, repository, restated, whole))
        before = await repository.load_bars(restated, outcomes[1].bars.sessions)
        corrected += corrected_spans(before, outcomes[1].bars, before=event.run.first_session)
    for outcome in outcomes:
        await repository.store_bars(outcome.bars, source=outcome.source, fetched_at=clock.now())
        await repository.store_findings(outcome.findings, run_id=event.run.run_id)
    await _settle(event.symbols, window, outcomes, repository, edition)
    return RefreshedBars(changed, outcomes[1].bars if restated else None, corrected)


async def _fetch(
    chain: ProviderChain, repository: MarketDataRepository, symbols: Sequence[str], span: _Span
) -> _Outcome:
    """Fetch the bars of the symbols over the span and check them."""
    sessions = sessions_array(span.first, span.last)
    before = dict.fromkeys(symbols, np.nan) | await repository.load_last_closes(symbols, before=span.first)

    def check(fetched: FetchedBars) -> Checked:
        previous = np.array([before[symbol] for symbol in fetched.rows.symbols])
        request = Request(provider=fetched.provider, sessions=sessions, target=span.newest, previous_close=previous)
        checked = check_rows(fetched.rows, request)
        return Checked(checked.bars, checked.findings, checked.refused(span.wanted))

    chained = await chain.fetch_bars(symbols, span.first, span.last, check)
    bars = Bars.blank(sessions, ())
    for answer in chained.answers:
        bars = bars.merge(answer.bars)
    return _Outcome(
        bars,
        source={symbol: answer.provider for answer in chained.answers for symbol in answer.bars.symbols},
        findings=tuple(finding for answer in chained.answers for finding in answer.findings),
        unavailable=chained.attempts.unavailable,
        undecided=frozenset(chained.attempts.undecided),
    )


def _restated_symbols(fetched: _Outcome, stored: Bars, stored_source: Mapping[str, str]) -> tuple[str, ...]:
    """Return the symbols whose stored history no longer goes with what was fetched.

    Their adjusted closes have been rescaled by a new split or dividend, or another provider answers now.
    """
    symbols = [symbol for symbol in fetched.bars.symbols if symbol in fetched.source]
    if not symbols:
        return ()
    rescaled = adjustment_changed(stored.select(symbols).adjusted, fetched.bars.select(symbols).adjusted)
    return tuple(
        symbol
        for symbol, changed in zip(symbols, rescaled.tolist(), strict=True)
        if changed or stored_source.get(symbol, fetched.source[symbol]) != fetched.source[symbol]
    )


def _changed_sessions(fetched: Bars, stored: Bars) -> DateArray:
    """Return the sessions on which a fetched bar is new or differs from the stored one."""
    before = stored.select(fetched.symbols)
    differs = np.zeros(fetched.present.shape, dtype=bool)
    for name in ("close", "adjusted", "split", "dividend"):
        new: Any = getattr(fetched, name)
        differs |= fetched.present & (new != getattr(before, name))
    sessions: DateArray = fetched.sessions[differs.any(axis=1)]
    return sessions


async def _settle(
    symbols: Sequence[str],
    window: DateArray,
    outcomes: Sequence[_Outcome],
    repository: MarketDataRepository,
    edition: str,
) -> None:
    """Remember that the window is settled for the symbols on which no provider failed, and why some have no bars."""
    unavailable = {symbol: why for outcome in outcomes for symbol, why in outcome.unavailable.items()}
    undecided = frozenset[str]().union(*(outcome.undecided for outcome in outcomes))
    answered = np.array([symbol not in undecided for symbol in symbols])
    settled = (await repository.load_settled(symbols, edition=edition)).after(window, answered)
    await repository.store_settled(symbols, settled, unavailable, edition=edition)
