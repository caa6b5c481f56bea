"""From an event to what it says of cells."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import compress
from typing import Final
from uuid import UUID

from services.scheduler.core.cells import CellPart, Fact, Why
from shared.calendar import sessions_between
from shared.contracts.event import Event
from shared.contracts.market_data import PricesUpdated
from shared.contracts.portfolio import PortfoliosValued
from shared.contracts.risk import PortfoliosAssessed
from shared.contracts.run import Run
from shared.contracts.symbol_analytics import SymbolsFactored, SymbolsMeasured, SymbolTable
from shared.symbols import SYMBOL_PATTERN
from shared.unavailable import Reason

NO_BAR: Final = Why(Reason.MISSING_DATA, "no bar")
NO_REASON: Final = Why(Reason.MISSING_DATA, "announced neither a number nor a reason")
_SYMBOL: Final = re.compile(SYMBOL_PATTERN)

Failed = Mapping[str, Why]


def cell_parts(event: Event) -> list[CellPart]:
    """Return what the event says of cells, one part per fact and session; of most events, nothing."""
    match event:
        case PricesUpdated():
            return _bars(event)
        case SymbolsFactored():
            return _table(event, Fact.FACTORS)
        case SymbolsMeasured():
            return _table(event, Fact.METRICS)
        case PortfoliosValued():
            return _snapshots(event)
        case PortfoliosAssessed():
            return _assessments(event)
    return []


def _bars(event: PricesUpdated) -> list[CellPart]:
    """Return bars: of the run's sessions done or failed, of other sessions in its blocks those that are there."""
    done: dict[date, set[str]] = defaultdict(set)
    for block in event.blocks:
        for session, closes in zip(block.sessions, zip(*block.close, strict=True), strict=False):
            done[session].update(compress(block.symbols, (close is not None for close in closes)))
    reasons = _symbol_failures(event)
    asked = {symbol for block in event.blocks for symbol in block.symbols} | reasons.keys()
    own = frozenset(_sessions(event.run))
    parts = []
    for session in sorted(own.union(done)):
        lacking = sorted(asked - done[session]) if session in own else ()
        failed = {symbol: reasons.get(symbol, NO_BAR) for symbol in lacking}
        parts.append(CellPart(session, Fact.BARS, tuple(sorted(done[session])), failed))
    return _speaking(parts)


def _table(event: SymbolTable, fact: Fact) -> list[CellPart]:
    """Return who has a number in any column as done, who has none as failed, and so who is not in the table at all.

    A table of nobody still has the sessions of what could not be computed.
    """
    known_rows = {
        as_of: [any(value is not None for value in row) for row in rows]
        for as_of, rows in zip(event.as_ofs, event.values, strict=True)
    }
    absent = {symbol: why for symbol, why in _symbol_failures(event).items() if symbol not in set(event.symbols)}
    parts = []
    for session in event.as_ofs or _sessions(event.run):
        known = known_rows.get(session, [])
        done = tuple(compress(event.symbols, known))
        blank = frozenset(event.symbols).difference(done)
        failed = dict.fromkeys(sorted(blank), NO_REASON) | _reasons(event, session, blank) | absent
        parts.append(CellPart(session, fact, done, failed))
    return _speaking(parts)


def _reasons(event: SymbolTable, as_of: date, blank: frozenset[str]) -> dict[str, Why]:
    """Return why these symbols have no number: the reason of their first column that is a lack."""
    if not blank:
        return {}
    place = {column: index for index, column in enumerate(event.columns)}
    told = [cells for cells in event.unavailable if cells.as_of == as_of]
    # What applies to nobody, such as a factor without a proxy, says nothing about a symbol.
    told.sort(key=lambda cells: (cells.reason is Reason.NOT_APPLICABLE, place.get(cells.column, len(place))))
    found: dict[str, Why] = {}
    for cells in told:
        found |= dict.fromkeys(blank.intersection(cells.symbols) - found.keys(), Why(cells.reason, cells.detail))
    return found


def _snapshots(event: PortfoliosValued) -> list[CellPart]:
    """Return snapshots with their revisions; who failed has none at the run's sessions."""
    revisions: dict[date, dict[str, int]] = defaultdict(dict)
    delisted: dict[date, set[str]] = defaultdict(set)
    for snapshot in event.snapshots:
        revisions[snapshot.as_of][str(snapshot.portfolio_id)] = snapshot.revision
        delisted[snapshot.as_of].update(snapshot.delisted)
    failed = _portfolio_failures(event)
    parts = _with_failures(Fact.SNAPSHOT, {session: set(of) for session, of in revisions.items()}, failed, event.run)
    return [
        CellPart(
            part.session,
            part.fact,
            part.done,
            part.failed,
            tuple(revisions[part.session][subject] for subject in part.done),
            frozenset(delisted[part.session]),
        )
        for part in parts
    ]


def _assessments(event: PortfoliosAssessed) -> list[CellPart]:
    """Return assessments; of an event that doesn't list them, those that it has headlines of."""
    done: dict[date, set[str]] = defaultdict(set)
    for span in event.assessed:
        for session in sessions_between(span.first_session, span.last_session):
            done[session].add(str(span.portfolio_id))
    for headline in event.headlines:
        done[headline.as_of].add(str(headline.portfolio_id))
    return _with_failures(Fact.ASSESSMENT, done, _portfolio_failures(event), event.run)


def _with_failures(fact: Fact, done: Mapping[date, set[str]], failed: Failed, run: Run) -> list[CellPart]:
    own = frozenset(_sessions(run))
    parts = []
    for session in sorted(own.union(done)):
        here = done.get(session, set())
        lacking = {subject: why for subject, why in failed.items() if session in own and subject not in here}
        parts.append(CellPart(session, fact, tuple(sorted(here)), lacking))
    return _speaking(parts)


def _speaking(parts: Iterable[CellPart]) -> list[CellPart]:
    return [part for part in parts if part.done or part.failed]


def _sessions(run: Run) -> list[date]:
    return sessions_between(run.first_session, run.last_session)


# A stage that failed as a whole names itself, or the part that never came: that is nobody's cell.
def _symbol_failures(event: Event) -> dict[str, Why]:
    return {subject: why for subject, why in _failures(event).items() if _SYMBOL.match(subject)}


def _portfolio_failures(event: Event) -> dict[str, Why]:
    return {subject: why for subject, why in _failures(event).items() if _is_id(subject)}


def _failures(event: Event) -> dict[str, Why]:
    return {failure.subject: Why(str(failure.reason), failure.detail) for failure in event.failures}


def _is_id(subject: str) -> bool:
    try:
        return str(UUID(subject)) == subject
    except ValueError:
        return False
