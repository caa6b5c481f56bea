"""The names of the arrays that everything is computed with; shapes are said where they are used."""

from collections.abc import Iterable
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
DateArray = NDArray[np.datetime64]
ObjectArray = NDArray[np.object_]

# Entries are `Unavailable` or None.
ReasonArray = ObjectArray
# Entries are str or None.
TextArray = ObjectArray

_EPOCH: Final = date(1970, 1, 1).toordinal()
_NO_DAY: Final = int(np.datetime64("NaT", "D").astype(np.int64))


def days_of(days: Iterable[date | None]) -> DateArray:
    """Return days as ``datetime64[D]``, NaT for None; NumPy's own way from dates takes thirty times as long."""
    numbers = (_NO_DAY if day is None else day.toordinal() - _EPOCH for day in days)
    return np.fromiter(numbers, dtype=np.int64).view("datetime64[D]")
