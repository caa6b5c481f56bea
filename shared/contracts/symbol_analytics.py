"""What symbol_analytics publishes."""

from collections.abc import Iterator
from datetime import date
from typing import ClassVar

from pydantic import Field

from shared.contracts.event import Event
from shared.contracts.run import Contract, Symbol
from shared.unavailable import Reason

Row = tuple[float | None, ...]


class SymbolAnalyticsDue(Event):
    """Factors and metrics of these symbols are to be computed for the run's sessions, or for those given."""

    topic: ClassVar[str] = "symbol_analytics.due"

    symbols: tuple[Symbol, ...]
    first_session: date | None = None
    last_session: date | None = None

    def days(self) -> Iterator[date]:
        """Yield the last day of the run and of the sessions to compute."""
        yield from super().days()
        if self.last_session is not None:
            yield self.last_session


class UnavailableCells(Contract):
    """One reason and the cells of a column that it stands for."""

    as_of: date
    column: str
    reason: Reason
    detail: str
    symbols: tuple[Symbol, ...]


class SymbolTable(Event):
    """Numbers per as_of, symbol and column: ``values[as_of][symbol][column]``, null where unavailable."""

    as_ofs: tuple[date, ...]
    symbols: tuple[Symbol, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[Row, ...], ...]
    unavailable: tuple[UnavailableCells, ...] = Field(default=(), description="why the nulls are null")

    def days(self) -> Iterator[date]:
        """Yield the last day of the run and those of the table."""
        yield from super().days()
        yield from self.as_ofs

    def subject_names(self) -> tuple[str, ...]:
        """Return the symbols."""
        return self.symbols


class SymbolsFactored(SymbolTable):
    """Factor betas of these symbols are stored, and their loadings on the risk factors."""

    topic: ClassVar[str] = "symbols.factored"

    revisions: tuple[tuple[int, ...], ...] = Field(
        default=(), description="``revisions[as_of][symbol]``: one more with every change of its numbers; none: unknown"
    )


class SymbolsMeasured(SymbolTable):
    """Daily metrics of these symbols are stored."""

    topic: ClassVar[str] = "symbols.measured"
