"""Closes that a vendor has adjusted for later splits, turned back into those that were traded."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from shared.arrays import BoolArray, DateArray, FloatArray, IntArray

AS_TRADED: Final = "astraded"
SPLIT_ADJUSTED: Final = "splitadjusted"

_PER_SHARE: Final = ("close", "open", "high", "low", "dividend")


def as_traded(
    columns: Mapping[str, FloatArray], adjusted: BoolArray, *, bounds: IntArray, day: DateArray
) -> dict[str, FloatArray]:
    """Return the columns of a price table in the shares of each day.

    What is said a share is multiplied, and the volume divided, by the splits that the file has of later days. The
    adjusted close stays: it is one series in any shares.

    Parameters
    ----------
    columns : mapping of bar field to ndarray of shape (n_rows,)
        Rows sorted by symbol and day.
    adjusted : ndarray of bool, shape (n_rows,)
        Which rows are in the shares of the last day.
    bounds : ndarray of shape (n_symbols + 1,)
        The rows of symbol i are ``bounds[i]:bounds[i + 1]``.
    day : ndarray of datetime64[D], shape (n_rows,)
    """
    restored = dict(columns)
    if "split" not in columns or not adjusted.any():
        return restored
    later = np.where(adjusted, _later_splits(columns["split"], bounds, day), 1.0)
    for name in _PER_SHARE:
        if name in columns:
            restored[name] = columns[name] * later
    if "volume" in columns:
        restored["volume"] = columns["volume"] / later
    return restored


def _later_splits(split: FloatArray, bounds: IntArray, day: DateArray) -> FloatArray:
    """Return the product of the splits of later days of the symbol; one that cannot be is none."""
    usable = np.isfinite(split) & (split > 0)
    # A row that is there twice is one split.
    again = np.zeros(len(day), dtype=np.bool_)
    again[1:] = day[1:] == day[:-1]
    again[bounds[:-1][bounds[:-1] < len(day)]] = False
    factor = np.where(usable & ~again, split, 1.0)
    later = np.ones(len(split))
    for symbol in np.unique(np.searchsorted(bounds, np.flatnonzero(factor != 1.0), side="right") - 1).tolist():
        rows = slice(int(bounds[symbol]), int(bounds[symbol + 1]))
        onward = np.cumprod(factor[rows][::-1])[::-1]
        # From the next day on: the rows of one day have one product.
        later[rows] = np.append(onward, 1.0)[np.searchsorted(day[rows], day[rows], side="right")]
    return later
