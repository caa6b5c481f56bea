"""From rows to the arrays that assessments take."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from services.risk.core.assessment import Books
from services.risk.core.holdings import NetHoldings
from services.risk.storage.held_options import options_of
from shared.arrays import ReasonArray
from shared.conventions import SYMBOL_COLUMNS
from shared.unavailable import Quantities, Reason, Unavailable, no_reasons

# What rows lack that were stored before there were loadings.
_NO_LOADINGS: Final = [None] * len(SYMBOL_COLUMNS)


def books_of(as_of: date, rows: Sequence[sa.Row[Any]]) -> Books:
    """Return the books of a session."""
    positions = list(chain.from_iterable(row.symbols for row in rows))
    symbols = sorted(set(positions))
    index = {symbol: number for number, symbol in enumerate(symbols)}
    exposures = np.fromiter(chain.from_iterable(row.exposures for row in rows), dtype=np.float64)
    holdings = NetHoldings.of(
        np.repeat(np.arange(len(rows)), [len(row.symbols) for row in rows]),
        np.fromiter(map(index.__getitem__, positions), dtype=np.int64, count=len(positions)),
        exposure=np.rint(exposures * 100).astype(np.int64),
        equity=np.array([row.cents for row in rows], dtype=np.int64),
        names=symbols,
        options=options_of(rows, as_of, exposures),
    )
    return Books(as_of, tuple(row.portfolio_id for row in rows), tuple(symbols), holdings)


def betas_of(as_of: date, symbols: Sequence[str], known: Mapping[str, sa.Row[Any]]) -> Quantities:
    """Return betas and loadings of symbols at a session by the rows of those that have any."""
    absent = Unavailable(Reason.MISSING_DATA, f"no betas as of {as_of}")
    betas = Quantities.unavailable_everywhere((len(symbols), len(SYMBOL_COLUMNS)), absent)
    at = [place for place, symbol in enumerate(symbols) if symbol in known]
    if at:
        rows = [known[symbols[place]] for place in at]
        betas.values[at] = np.array([row.betas + _NO_LOADINGS[len(row.betas) :] for row in rows], dtype=np.float64)
        betas.unavailable[at] = _unavailable(rows, Unavailable(Reason.MISSING_DATA, f"no loadings as of {as_of}"))
    return betas


def _unavailable(rows: Sequence[Any], no_loadings: Unavailable) -> ReasonArray:
    known: dict[tuple[str, str], Unavailable] = {}
    reasons = no_reasons((len(rows), len(SYMBOL_COLUMNS)))
    for index, row in enumerate(rows):
        reasons[index, len(row.betas) :] = no_loadings
        # Null in a row that has all numbers.
        for column, (reason, detail) in enumerate(zip(row.reasons or (), row.details or (), strict=True)):
            if reason is not None:
                reasons[index, column] = known.setdefault((reason, detail), Unavailable(Reason(reason), detail))
    return reasons
