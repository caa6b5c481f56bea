"""Which sessions of a symbol's history are no longer what was announced of them."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from services.market_data.core.adjustment import ADJUSTMENT_TOLERANCE
from services.market_data.core.bars import Bars
from shared.arrays import BoolArray, FloatArray

# Either end of a return may be off by the rounding of the source.
RETURN_TOLERANCE: Final = 2.0 * ADJUSTMENT_TOLERANCE


@dataclass(frozen=True, slots=True)
class CorrectedSpan:
    """The first and the last session of a symbol that is another one now."""

    symbol: str
    first_session: date
    last_session: date


def corrected_spans(
    stored: Bars, fetched: Bars, *, before: date, held: BoolArray | None = None
) -> tuple[CorrectedSpan, ...]:
    """Return from where to where the fetched bars contradict the stored ones, for the symbols of which they do.

    A session is corrected if close, split or dividend differ, if the total return since the symbol's bar before differs
    beyond rounding, if a stored bar is held now, or if a bar is there now where there was none: after the symbol's
    oldest stored bar, and before the newest one or before `before`. A history whose adjusted closes are merely
    rescaled, by a split or dividend of a session that was not stored yet, is not corrected: every return in it is what
    it was. Nor is one that begins earlier now: nothing was computed with the sessions that came before it.

    Parameters
    ----------
    stored : Bars
        What is in the store, on the sessions of `fetched` and at least its symbols.
    fetched : Bars
        What the store is going to hold; NaN = no bar, which changes nothing.
    before : date
        First session of the run: what is new on it and after it was never computed with.
    held : ndarray of bool, shape of `fetched`, optional
        Where a bar was delivered that does not count.

    Returns
    -------
    tuple of CorrectedSpan
        In the order of the symbols; a symbol without any stored bar has none.

    Notes
    -----
    Complexity O(n_sessions x n_symbols). The result depends neither on the order of the symbols nor on the other ones.
    """
    known = stored.select(fetched.symbols)
    corrected = _differs(known, fetched) | _arrived_late(known, fetched, before)
    if held is not None:
        corrected |= known.present & held
    return tuple(
        CorrectedSpan(symbol, days[0].item(), days[-1].item())
        for column, symbol in enumerate(fetched.symbols)
        if len(days := fetched.sessions[corrected[:, column]])
    )


def _differs(stored: Bars, fetched: Bars) -> BoolArray:
    common = stored.present & fetched.present
    changed = _step(stored.adjusted, fetched.adjusted)
    for old, new in (
        (stored.close, fetched.close),
        (stored.split, fetched.split),
        (stored.dividend, fetched.dividend),
    ):
        changed |= old != new
    return common & changed


def _step(stored: FloatArray, fetched: FloatArray) -> BoolArray:
    """Tell where the factor between both histories is another one than at the symbol's common bar before."""
    factor = fetched / stored
    known = np.isfinite(factor)
    rows = np.maximum.accumulate(np.where(known, np.arange(len(factor))[:, None], -1), axis=0)
    previous = np.full_like(factor, np.nan)
    previous[1:] = np.where(rows >= 0, np.take_along_axis(factor, np.maximum(rows, 0), axis=0), np.nan)[:-1]
    return np.asarray(np.abs(factor / previous - 1.0) > RETURN_TOLERANCE)


def _arrived_late(stored: Bars, fetched: Bars, before: date) -> BoolArray:
    sessions = np.arange(len(stored.sessions))[:, None]
    newest = np.max(np.where(stored.present, sessions, -1), axis=0, initial=-1)
    begun = np.maximum.accumulate(stored.present, axis=0)
    settled = begun & ((sessions < newest) | (stored.sessions < np.datetime64(before, "D"))[:, None])
    return np.asarray(fetched.present & ~stored.present & settled)
