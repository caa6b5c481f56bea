"""What portfolio publishes."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from shared.contracts.event import Event
from shared.contracts.run import Contract, Symbol


class Holding(Contract):
    """A symbol that a book holds, over all its lots."""

    symbol: Symbol
    since: date
    until: date | None = Field(default=None, description="its last day; null: still held")
    contract: bool = Field(default=False, description="an option, valued from its underlying where it has no price")


class SymbolsOnboarding(Event):
    """A book holds symbols that are to be known, priced and analysed: those of the run."""

    topic: ClassVar[str] = "symbols.onboarding"
    keyed_by_run: ClassVar[bool] = True

    portfolio_id: UUID | None = None
    portfolio_name: str | None = None
    opened_on: date | None = Field(default=None, description="the first session of the book")
    closed_on: date | None = Field(default=None, description="the last session of the book; null: it goes on")
    owner: str | None = Field(default=None, description="whose it is: a name, or group:NAME; null: nobody's")
    holdings: tuple[Holding, ...] = Field(default=(), description="what of the run's symbols it holds when")
    edits: int = Field(default=0, ge=0, description="edits of the book so far: after more of them this is out of date")

    @property
    def key(self) -> str:
        """What keeps its order: the statements about one book."""
        return super().key if self.portfolio_id is None else str(self.portfolio_id)


class PortfolioDue(Event):
    """These portfolios are to be valued over these sessions."""

    topic: ClassVar[str] = "portfolio.due"

    portfolio_ids: tuple[UUID, ...]
    first_session: date
    last_session: date
    until: date | None = Field(default=None, description="the last session of the parts that follow this one, in order")
    prices_seen_below: int = Field(description="the transaction below which every change of a price was considered")

    def days(self) -> Iterator[date]:
        """Yield the last day of the run and of the sessions to value."""
        yield from super().days()
        yield self.until or self.last_session


class Snapshot(Contract):
    """A portfolio at the end of a session, in its currency."""

    portfolio_id: UUID
    as_of: date
    revision: int
    equity: Decimal
    pnl: Decimal
    flow: Decimal
    cash: Decimal
    gross: Decimal
    net: Decimal
    stale_positions: int
    delisted: tuple[Symbol, ...] = Field(
        default=(), description="held and without a close for 20 sessions: worth the last one, of unknown risk"
    )


class HeldOption(Contract):
    """What an option among the entries of a book can be revalued on, at the volatility behind its delta."""

    entry: int = Field(ge=0, description="its place among the symbols and exposures of the book")
    quantity: float = Field(description="contracts, short negative")
    multiplier: int = Field(description="shares a contract")
    right: Literal["call", "put"]
    strike: float = Field(gt=0, description="in the shares of the session")
    expiration: date
    spot: float = Field(gt=0, description="close of the underlying")
    dividend_yield: float = Field(description="a year, continuously compounded")
    rate: float | None = Field(
        default=None, description="risk-free, a year, continuously compounded; null: the one that everybody assumes"
    )
    volatility: float = Field(ge=0, description="a year: implied by the contract's close, else the underlying's")


class Book(Contract):
    """The signed exposures of a portfolio at the end of a session, one entry a position."""

    portfolio_id: UUID
    as_of: date
    revision: int
    equity: Decimal
    # What is private, traded no more, or an option without a delta has a name that no symbol can be.
    symbols: tuple[str, ...]
    exposures: tuple[float, ...] = Field(description="portfolio currency, short negative")
    options: tuple[HeldOption, ...] = Field(default=(), description="entries by their delta, that can be revalued")

    @model_validator(mode="after")
    def _columns_have_the_length(self) -> Self:
        if len(self.exposures) != len(self.symbols):
            raise ValueError(f"exposures must have {len(self.symbols)} entries, was {len(self.exposures)}")
        last = max((option.entry for option in self.options), default=-1)
        if last >= len(self.symbols):
            raise ValueError(f"options must be among {len(self.symbols)} entries, was {last}")
        return self


class PortfoliosValued(Event):
    """Snapshots of these portfolios are final; books are those of the run's sessions."""

    topic: ClassVar[str] = "portfolios.valued"

    snapshots: tuple[Snapshot, ...] = ()
    books: tuple[Book, ...] = ()

    def days(self) -> Iterator[date]:
        """Yield the last day of the run and the sessions that are valued."""
        yield from super().days()
        yield from (snapshot.as_of for snapshot in self.snapshots)
        yield from (book.as_of for book in self.books)

    def book_sessions(self) -> tuple[date, date] | None:
        """Return the first and the last session of the books, None without any."""
        sessions = [book.as_of for book in self.books]
        return (min(sessions), max(sessions)) if sessions else None

    def subject_names(self) -> tuple[str, ...]:
        """Return the portfolios, sorted."""
        spoken_of = {entry.portfolio_id for entry in self.snapshots} | {entry.portfolio_id for entry in self.books}
        return tuple(sorted(map(str, spoken_of)))
