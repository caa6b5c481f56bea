"""From an event to the books that it tells of."""

from collections.abc import Container, Iterator, Sequence
from datetime import date
from uuid import UUID

from services.scheduler.core.books import Book, Holding
from shared.contracts.event import Event
from shared.contracts.portfolio import PortfoliosValued, SymbolsOnboarding


def stated_books(event: Event) -> list[Book]:
    """Return the book whose owner says what it holds, where the event is such a statement."""
    if not isinstance(event, SymbolsOnboarding) or event.portfolio_id is None:
        return []
    opened_on = event.opened_on or event.run.first_session
    holdings = [Holding(each.symbol, each.since, each.until, each.contract) for each in event.holdings]
    # An owner that names symbols only holds all of them.
    holdings = holdings or [Holding(symbol, opened_on, None) for symbol in event.run.symbols or ()]
    name, closed_on, owner = event.portfolio_name, event.closed_on, event.owner
    return [Book(str(event.portfolio_id), name, opened_on, tuple(holdings), closed_on, owner, event.edits)]


def seen_books(event: PortfoliosValued, portfolio_ids: Container[UUID]) -> list[Book]:
    """Return the books of these portfolios as far as their valuation shows them: where no owner has told of them."""
    opened: dict[UUID, date] = {}
    for snapshot in event.snapshots:
        if snapshot.portfolio_id in portfolio_ids:
            opened[snapshot.portfolio_id] = min(opened.get(snapshot.portfolio_id, snapshot.as_of), snapshot.as_of)
    newest = {book.portfolio_id: book.symbols for book in sorted(event.books, key=lambda book: book.as_of)}
    return [
        Book(str(subject), None, since, tuple(_held(newest.get(subject, ()), since)))
        for subject, since in opened.items()
    ]


def _held(names: Sequence[str], since: date) -> Iterator[Holding]:
    # What is nobody's listed symbol goes by its kind: an option without a delta, a private holding.
    for name in dict.fromkeys(names):
        kind, _, symbol = name.rpartition(":")
        if kind != "PRIVATE":
            yield Holding(symbol, since, None, contract=kind == "OPTION")
