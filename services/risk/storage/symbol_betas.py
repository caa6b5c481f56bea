"""From what is announced of symbols to arrays."""

from datetime import date

import numpy as np

from shared.arrays import ReasonArray
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.conventions import SYMBOL_COLUMNS
from shared.unavailable import Quantities, Reason, Unavailable

NOT_ANNOUNCED = Unavailable(Reason.MISSING_DATA, "announced neither a number nor a reason")


def symbol_betas(event: SymbolsFactored) -> list[tuple[date, Quantities]]:
    """Return betas and loadings as of each session, (n_symbols, n_columns), in the order of SYMBOL_COLUMNS."""
    shape = len(event.as_ofs), len(event.symbols), len(event.columns)
    announced = np.array(event.values, dtype=np.float64).reshape(shape)
    values = np.full((*shape[:2], len(SYMBOL_COLUMNS)), np.nan)
    for index, column in enumerate(event.columns):
        if column in SYMBOL_COLUMNS:
            values[:, :, SYMBOL_COLUMNS.index(column)] = announced[:, :, index]
    unavailable = _reasons(event, values.shape)
    unavailable[~np.isnan(values)] = None
    return [(as_of, Quantities(values[index], unavailable[index])) for index, as_of in enumerate(event.as_ofs)]


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
