"""From what is announced of symbols to arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from shared.arrays import ReasonArray
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.conventions import SYMBOL_COLUMNS
from shared.unavailable import Quantities, Reason, Unavailable

NOT_ANNOUNCED = Unavailable(Reason.MISSING_DATA, "announced neither a number nor a reason")


@dataclass(frozen=True, slots=True)
class SymbolBetas:
    """Betas and loadings as of a session, (n_symbols, n_columns) by SYMBOL_COLUMNS, and their revision by symbol."""

    as_of: date
    betas: Quantities
    revisions: Sequence[int]


def symbol_betas(event: SymbolsFactored) -> list[SymbolBetas]:
    """Return what is announced, session by session."""
    shape = len(event.as_ofs), len(event.symbols), len(event.columns)
    announced = np.array(event.values, dtype=np.float64).reshape(shape)
    values = np.full((*shape[:2], len(SYMBOL_COLUMNS)), np.nan)
    for index, column in enumerate(event.columns):
        if column in SYMBOL_COLUMNS:
            values[:, :, SYMBOL_COLUMNS.index(column)] = announced[:, :, index]
    unavailable = _reasons(event, values.shape)
    unavailable[~np.isnan(values)] = None
    # Whoever says none is older than anybody who does.
    revisions = event.revisions or ((0,) * len(event.symbols),) * len(event.as_ofs)
    return [
        SymbolBetas(as_of, Quantities(values[index], unavailable[index]), revisions[index])
        for index, as_of in enumerate(event.as_ofs)
    ]


def _reasons(event: SymbolsFactored, shape: tuple[int, ...]) -> ReasonArray:
    session = {as_of: index for index, as_of in enumerate(event.as_ofs)}
    row = {symbol: index for index, symbol in enumerate(event.symbols)}
    reasons: ReasonArray = np.full(shape, NOT_ANNOUNCED, dtype=object)
    for cells in event.unavailable:
        if cells.column in SYMBOL_COLUMNS:
            rows = [row[symbol] for symbol in cells.symbols]
            why = Unavailable(cells.reason, cells.detail)
            reasons[session[cells.as_of], rows, SYMBOL_COLUMNS.index(cells.column)] = why
    return reasons
