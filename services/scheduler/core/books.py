"""The books whose cells are expected: what each holds from when until when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from services.scheduler.core.cells import SYMBOL_FACTS, Fact, Grid


@dataclass(frozen=True, slots=True)
class Holding:
    """A symbol that a book holds, over all its lots; `until` is its last day, None if it is still held.

    A contract (an option) is valued from its underlying where it has no prices of its own: its cells are not expected.
    """

    symbol: str
    since: date
    until: date | None
    contract: bool = False

    def held_on(self, session: date) -> bool:
        """Tell whether it is held at the end of the session, or was closed on it."""
        return self.since <= session and (self.until is None or session <= self.until)


@dataclass(frozen=True, slots=True)
class Book:
    """A portfolio, its first session, what it holds, its last session, None if it goes on, and whose it is.

    `edits` counts those that the statement of it knows of.
    """

    portfolio_id: str
    name: str | None
    opened_on: date
    holdings: tuple[Holding, ...]
    closed_on: date | None = None
    owner: str | None = None
    edits: int = 0

    def open_on(self, session: date) -> bool:
        """Tell whether the session is one of the book's."""
        return self.opened_on <= session and (self.closed_on is None or session <= self.closed_on)

    def symbols_on(self, session: date) -> tuple[str, ...]:
        """Return the symbols whose cells the book needs at a session, sorted."""
        if not self.open_on(session):
            return ()
        return tuple(sorted({each.symbol for each in self.holdings if not each.contract and each.held_on(session)}))

    def symbols_between(self, first: date, last: date) -> frozenset[str]:
        """Return the symbols whose prices the book may need in [first, last], those of contracts too."""
        return frozenset(
            each.symbol for each in self.holdings if each.since <= last and (each.until is None or first <= each.until)
        )


@dataclass(frozen=True)
class Expected:
    """Whose cells are expected at which session.

    A portfolio's from its first session on; a symbol's from the session on at which the first book holds it to the last
    day of the last one. A symbol that no book has (a proxy, a watched one) is expected from the first session on at
    which the grid knows its factors.
    """

    books: tuple[Book, ...]
    watched: Mapping[str, date]

    @classmethod
    def of(cls, books: Iterable[Book], grid: Grid) -> "Expected":
        """Return what the books need, and what the grid shows to be watched beside them."""
        watched: dict[str, date] = {}
        for (session, fact), state in sorted(grid.items(), key=lambda entry: entry[0]):
            if fact is Fact.FACTORS:
                watched |= dict.fromkeys(state.decides.keys() - watched.keys(), session)
        return cls(tuple(books), watched)

    @cached_property
    def spans(self) -> dict[str, tuple[date, date]]:
        """From when until when each symbol is expected."""
        spans: dict[str, tuple[date, date]] = {}
        for book in self.books:
            for holding in book.holdings:
                if not holding.contract:
                    first, last = spans.get(holding.symbol, (date.max, date.min))
                    until = holding.until or date.max
                    spans[holding.symbol] = min(first, max(holding.since, book.opened_on)), max(last, until)
        contracts = {each.symbol for book in self.books for each in book.holdings if each.contract}
        unheld = {symbol: since for symbol, since in self.watched.items() if symbol not in contracts}
        return {symbol: (since, date.max) for symbol, since in unheld.items()} | spans

    def symbols_on(self, session: date) -> list[str]:
        """Return the symbols whose cells are expected at a session, sorted."""
        return sorted(symbol for symbol, (first, last) in self.spans.items() if first <= session <= last)

    def portfolios_on(self, session: date) -> list[str]:
        """Return the portfolios whose cells are expected at a session, sorted."""
        return sorted(book.portfolio_id for book in self.books if book.open_on(session))

    def subjects_on(self, session: date, fact: Fact) -> list[str]:
        """Return whose cells of a fact are expected at a session, sorted."""
        of_symbols = fact in SYMBOL_FACTS
        if (session, of_symbols) not in self._subjects:
            found = self.symbols_on(session) if of_symbols else self.portfolios_on(session)
            self._subjects[session, of_symbols] = found
        return self._subjects[session, of_symbols]

    @cached_property
    def _subjects(self) -> dict[tuple[date, bool], list[str]]:
        # Asked fact by fact, which are the symbols' or the portfolios'.
        return {}
