"""Rows as a provider delivered them: any order, not yet checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from services.market_data.core.bars import BAR_FIELDS, BLANKS
from shared.arrays import BoolArray, DateArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class RawBars:
    """Columnar rows of bars, one entry per row.

    Parameters
    ----------
    symbols : tuple of str
        The symbols asked for; `code` points into it.
    code : ndarray of int64, shape (n_rows,)
    day : ndarray of datetime64[D], shape (n_rows,)
    close, adjusted, open, high, low, volume, split, dividend : ndarray of shape (n_rows,)
        As delivered. NaN = the source says nothing: for `adjusted` it is then derived, for `split` it means 1, for
        `dividend` 0. A NaN `close` is rejected by the checks.
    line : ndarray of int64, shape (n_rows,)
        Line in `file`, 0 where there is none.
    file : str or None
        Name of the file the rows come from.
    """

    symbols: tuple[str, ...]
    code: IntArray
    day: DateArray
    close: FloatArray
    adjusted: FloatArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    volume: FloatArray
    split: FloatArray
    dividend: FloatArray
    line: IntArray
    file: str | None = None

    @classmethod
    def of(
        cls,
        symbols: Sequence[str],
        code: IntArray,
        day: DateArray,
        *,
        columns: dict[str, FloatArray],
        line: IntArray | None = None,
        file: str | None = None,
    ) -> Self:
        """Build rows from the columns a source has; the others are blank."""
        count = len(code)
        filled = {name: columns.get(name, np.full(count, blank)) for name, blank in BLANKS.items()}
        lines = np.zeros(count, dtype=np.int64) if line is None else line
        return cls(tuple(symbols), code, day.astype("datetime64[D]"), **filled, line=lines, file=file)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.code)

    def take(self, rows: IntArray | BoolArray) -> Self:
        """Return these rows, by position or by mask."""
        columns = {name: getattr(self, name)[rows] for name in BAR_FIELDS}
        return type(self)(
            self.symbols, self.code[rows], self.day[rows], **columns, line=self.line[rows], file=self.file
        )
