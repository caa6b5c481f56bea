"""What a run left undone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.scheduler.core.backfill_plan import Reprocess, Scope, Selection, wanted_cells
from services.scheduler.core.books import Expected
from services.scheduler.core.cells import PORTFOLIO_FACTS, SYMBOL_FACTS, Fact, Grid, SaidPart, state_at

NOBODY: Final = Scope(frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Undone:
    """The symbols and portfolios, sorted, and the first and last session at which anything of them is not done."""

    first: date
    last: date
    symbols: tuple[str, ...]
    portfolio_ids: tuple[str, ...]


def undone_of(
    selection: Selection,
    said: Sequence[SaidPart],
    grid: Grid,
    expected: Expected,
    *,
    named: Scope = NOBODY,
) -> Undone | None:
    """Return what of a run is not done: it failed, or never came, and nobody has done it since; None if nothing is.

    With the symbols go the portfolios that hold them at those sessions, since theirs were computed without.

    Parameters
    ----------
    selection : Selection
        What the run was to compute.
    said : sequence of SaidPart
        What it has said.
    grid : Grid
        How its cells stand now.
    named : Scope
        The symbols and portfolios that are taken as not done at every session, whatever their cells say.
    """
    wanted = wanted_cells(grid, expected, selection.of(Reprocess.FAILED))
    symbols = _by_session(_still_failed(said, grid, SYMBOL_FACTS), wanted.symbols)
    portfolios = _by_session(_still_failed(said, grid, PORTFOLIO_FACTS), wanted.portfolios)
    for session in () if named == NOBODY else selection.sessions:
        symbols.setdefault(session, set()).update(named.symbols or ())
        portfolios.setdefault(session, set()).update(named.portfolio_ids or ())
    sessions = symbols.keys() | portfolios.keys()
    if not sessions:
        return None
    without = {
        book.portfolio_id
        for session, names in symbols.items()
        for book in expected.books
        if not names.isdisjoint(book.symbols_on(session))
    }
    return Undone(
        min(sessions),
        max(sessions),
        tuple(sorted(set().union(*symbols.values()))),
        tuple(sorted(without.union(*portfolios.values()))),
    )


def _by_session(failed: Iterable[tuple[date, str]], wanted: Mapping[date, Iterable[str]]) -> dict[date, set[str]]:
    subjects = {session: set(names) for session, names in wanted.items()}
    for session, subject in failed:
        subjects.setdefault(session, set()).add(subject)
    return subjects


def _still_failed(said: Iterable[SaidPart], grid: Grid, facts: Sequence[Fact]) -> Iterator[tuple[date, str]]:
    for part in (each.part for each in said):
        if part.fact in facts:
            now = state_at(grid, part.session, part.fact)
            yield from ((part.session, subject) for subject in part.failed if not now.is_done(subject))
