"""A layer of prices in which nearly every cell has the same value: splits and dividends."""

from typing import Final

import numpy as np

from shared.arrays import FloatArray, IntArray

_WIDTH: Final = 1 << 32  # more than there are sessions


class SparseLayer:
    """Cells by row and session, of which only those are stored that have another value than the usual one.

    Parameters
    ----------
    usual : float
        What every other cell has.
    """

    def __init__(self, usual: float) -> None:
        self._usual = usual
        self._cells: IntArray = np.empty(0, dtype=np.int64)  # row and session in one number, ascending
        self._values: FloatArray = np.empty(0)

    def put(self, rows: IntArray, sessions: IntArray, values: FloatArray) -> None:
        """Set cells, each of them once."""
        cells = rows * _WIDTH + sessions
        # Few cells are looked for among many; the last one is of nobody.
        ordered = np.append(np.sort(cells), -1)
        stay = ordered[np.searchsorted(ordered[:-1], self._cells)] != self._cells
        unusual = values != self._usual
        cells = np.concatenate([self._cells[stay], cells[unusual]])
        order = np.argsort(cells)
        self._cells, self._values = cells[order], np.concatenate([self._values[stay], values[unusual]])[order]

    def block(self, rows: IntArray, first: int, last: int) -> FloatArray:
        """Return the cells of some rows, none of them known where negative, in [first, last]: (n_rows, n_sessions)."""
        out = np.full((len(rows), last - first + 1), self._usual)
        ends = np.array([[first], [last + 1]])
        begin, end = self._cells.searchsorted(rows * _WIDTH + ends)
        count = end - begin
        if not count.any():
            return out
        place = np.repeat(np.arange(len(rows)), count)
        found = np.arange(len(place)) + np.repeat(begin - np.cumsum(count) + count, count)
        out[place, self._cells[found] % _WIDTH - first] = self._values[found]
        return out
