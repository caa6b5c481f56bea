"""From computed tables to events."""

from collections.abc import Sequence
from datetime import date
from typing import TypeVar

import numpy as np

from shared.arrays import FloatArray
from shared.calendar import sessions_between
from shared.contracts.event import Failure
from shared.contracts.symbol_analytics import (
    Row,
    SymbolAnalyticsDue,
    SymbolsFactored,
    SymbolsMeasured,
    SymbolTable,
    UnavailableCells,
)
from shared.db.unit_of_work import UnitOfWork
from shared.unavailable import Quantities, Unavailable, nullable

Table = TypeVar("Table", bound=SymbolTable)


def symbol_table(
    table: type[Table],
    event: SymbolAnalyticsDue,
    *,
    columns: tuple[str, ...],
    results: Sequence[tuple[date, Quantities]],
    unchanged: int,
) -> Table:
    """Return the event that carries these results, one table of (n_symbols, n_columns) per as_of."""
    return table(
        run=event.run,
        part=event.part,
        subjects=len(event.symbols),
        failures=event.failures,
        unchanged=unchanged,
        as_ofs=tuple(as_of for as_of, _ in results),
        symbols=event.symbols,
        columns=columns,
        values=tuple(_rows(quantities.values) for _, quantities in results),
        unavailable=tuple(
            cells for as_of, quantities in results for cells in _unavailable(as_of, quantities, event.symbols, columns)
        ),
    )


def failed_table(table: type[Table], event: SymbolAnalyticsDue, failure: Failure) -> Table:
    """Return the event that says that this shard could not be computed: a table of nobody as of its sessions."""
    failures = tuple(failure.model_copy(update={"subject": symbol}) for symbol in event.symbols)
    first, last = event.first_session or event.run.first_session, event.last_session or event.run.last_session
    as_ofs = tuple(sessions_between(first, last))
    return table(
        run=event.run,
        part=event.part,
        failures=failures,
        as_ofs=as_ofs,
        symbols=(),
        columns=(),
        values=((),) * len(as_ofs),
    )


def _rows(values: FloatArray) -> tuple[Row, ...]:
    return tuple(map(tuple, nullable(values)))


def _unavailable(
    as_of: date, quantities: Quantities, symbols: tuple[str, ...], columns: tuple[str, ...]
) -> list[UnavailableCells]:
    grouped: dict[tuple[str, Unavailable], list[str]] = {}
    rows, cells = np.nonzero(np.isnan(quantities.values))
    for row, column in zip(rows.tolist(), cells.tolist(), strict=True):
        grouped.setdefault((columns[column], quantities.unavailable[row, column]), []).append(symbols[row])
    return [
        UnavailableCells(as_of=as_of, column=column, reason=why.reason, detail=why.detail, symbols=tuple(who))
        for (column, why), who in grouped.items()
    ]


async def report_failed_analysis(event: SymbolAnalyticsDue, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the symbols of this shard have neither betas nor metrics."""
    uow.emit(failed_table(SymbolsFactored, event, failure), failed_table(SymbolsMeasured, event, failure))
