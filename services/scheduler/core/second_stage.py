"""The second stage of a night: which books have all that they hold from the first, and by which of its parts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.scheduler.core.books import Book
from services.scheduler.core.cells import Fact, SaidPart

Places = Mapping[str, set[int]]


@dataclass(frozen=True, slots=True)
class Settled:
    """Books whose symbols are done or have failed, and the parts of the run that said so."""

    portfolio_ids: tuple[str, ...]
    bars_parts: tuple[int, ...]
    factors_parts: tuple[int, ...]


def settled_books(books: Iterable[Book], said: Sequence[SaidPart], session: date, *, but: frozenset[str]) -> Settled:
    """Return the books that can be valued and assessed from what a run over symbols has said so far.

    Parameters
    ----------
    books : iterable of Book
    said : sequence of SaidPart
        Of one run; of other sessions too.
    session : date
        The last one of the run. A part of it speaks of all of the run's own sessions.
    but : frozenset of str
        The portfolios that are served already.
    """
    bars, factors = _places(said, Fact.BARS, session), _places(said, Fact.FACTORS, session)
    settled: list[str] = []
    bars_parts: set[int] = set()
    factors_parts: set[int] = set()
    for book in books:
        # An option may have prices of its own; factors belong to what it is written on.
        priced = {each.symbol for each in book.holdings if each.held_on(session)}
        analysed = book.symbols_on(session)
        served = book.portfolio_id in but or not book.open_on(session)
        if served or not priced <= bars.keys() or not factors.keys() >= set(analysed):
            continue
        settled.append(book.portfolio_id)
        bars_parts.update(*(bars[symbol] for symbol in priced))
        factors_parts.update(*(factors[symbol] for symbol in analysed))
    return Settled(tuple(settled), tuple(sorted(bars_parts)), tuple(sorted(factors_parts)))


def reaches_back(said: Iterable[SaidPart], first_session: date) -> bool:
    """Tell whether a run has said anything of bars before its own sessions: they may be corrections.

    What those touch is known only when all of the run is in: who was served before that is served again.
    """
    return any(each.part.fact is Fact.BARS and each.part.session < first_session for each in said)


def _places(said: Iterable[SaidPart], fact: Fact, session: date) -> Places:
    places: dict[str, set[int]] = defaultdict(set)
    for each in said:
        if each.part.fact is fact and each.part.session == session:
            for symbol in (*each.part.done, *each.part.failed):
                places[symbol].add(each.part_index)
    return dict(places)
