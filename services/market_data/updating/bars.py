"""Fetching a shard: the provider chain's answers, checked, with whole windows where a history has changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from services.market_data.core.adjustment import adjustment_changed
from services.market_data.core.bar_checks import Request, check_rows
from services.market_data.core.bars import Bars
from services.market_data.core.corrections import CorrectedSpan
from services.market_data.core.findings import Finding
from services.market_data.core.window import sessions_array
from services.market_data.providers.chain import ChainedBars, ProviderChain
from services.market_data.storage.repository import MarketDataRepository
from shared.arrays import DateArray
from shared.unavailable import Unavailable


@dataclass(frozen=True, slots=True)
class CheckedFetch:
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
class Fetched:
    """What a fetch has changed in the store.

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
    restated: Bars | None
    corrected: tuple[CorrectedSpan, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """The sessions to fetch; rows after `newest`, the last closed session, are from the future."""

    first: date
    last: date
    newest: date


async def fetch_checked(
    chain: ProviderChain, repository: MarketDataRepository, symbols: Sequence[str], span: Span
) -> CheckedFetch:
    """Fetch the bars of the symbols over the span and check them."""
    first, last = span.first, span.last
    sessions = sessions_array(first, last)
    chained = await chain.fetch_bars(symbols, first, last)
    bars = Bars.blank(sessions, ())
    source: dict[str, str] = {}
    findings: list[Finding] = []
    before = await _previous_closes(repository, symbols, first)
    for answer in chained.answers:
        previous = np.array([before[symbol] for symbol in answer.rows.symbols])
        request = Request(provider=answer.provider, sessions=sessions, target=span.newest, previous_close=previous)
        checked = check_rows(answer.rows, request)
        bars = bars.merge(checked.bars)
        findings += [*answer.findings, *checked.findings]
        source |= dict.fromkeys(answer.rows.symbols, answer.provider)
    return _checked_fetch(chained, bars, source, findings)


def _checked_fetch(chained: ChainedBars, bars: Bars, source: dict[str, str], findings: list[Finding]) -> CheckedFetch:
    attempts = chained.attempts
    return CheckedFetch(bars, source, tuple(findings), attempts.unavailable, frozenset(attempts.undecided))


async def _previous_closes(repository: MarketDataRepository, symbols: Sequence[str], first: date) -> dict[str, float]:
    return dict.fromkeys(symbols, np.nan) | await repository.load_last_closes(symbols, before=first)


def restated_symbols(fetched: CheckedFetch, stored: Bars, stored_source: Mapping[str, str]) -> tuple[str, ...]:
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


def changed_sessions(fetched: Bars, stored: Bars) -> DateArray:
    """Return the sessions on which a fetched bar is new or differs from the stored one."""
    before = stored.select(fetched.symbols)
    differs = np.zeros(fetched.present.shape, dtype=bool)
    for name in ("close", "adjusted", "split", "dividend"):
        new: Any = getattr(fetched, name)
        differs |= fetched.present & (new != getattr(before, name))
    sessions: DateArray = fetched.sessions[differs.any(axis=1)]
    return sessions
