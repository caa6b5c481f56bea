"""A value or the reason why there is none: never zero, a default or NaN in place of "don't know"."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np

from shared.arrays import FloatArray, ReasonArray


class Reason(StrEnum):
    """Why there is no number (methodology, 1.1)."""

    MISSING_DATA = "MISSING_DATA"
    INSUFFICIENT_HISTORY = "INSUFFICIENT_HISTORY"
    DEGENERATE_INPUT = "DEGENERATE_INPUT"
    STALE_INPUT = "STALE_INPUT"
    NOT_APPLICABLE = "NOT_APPLICABLE"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Stands where a number would: never replaced by zero or by a default."""

    reason: Reason
    detail: str


def nullable(values: FloatArray) -> list[Any]:
    """Return the numbers as lists, nested as the array is, with None for NaN: how tables and events say "no number"."""
    missing = np.isnan(values)
    if not missing.any():
        return list(values.tolist())
    cells = values.astype(object)
    cells[missing] = None
    return list(cells.tolist())


@dataclass(frozen=True, slots=True)
class Quantities:
    """An array of numbers, each of them a value or a reason.

    Parameters
    ----------
    values : ndarray of any shape
        The numbers; NaN exactly where `unavailable` has an entry.
    unavailable : ndarray of object, same shape
        `Unavailable` where there is no number, None elsewhere.
    """

    values: FloatArray
    unavailable: ReasonArray

    @classmethod
    def available(cls, values: FloatArray) -> Self:
        """Wrap finite numbers."""
        return cls(values, np.full(values.shape, None, dtype=object))

    @classmethod
    def unavailable_everywhere(cls, shape: tuple[int, ...], why: Unavailable) -> Self:
        """Return an array in which every entry has the same reason."""
        return cls(np.full(shape, np.nan), np.full(shape, why, dtype=object))

    def at(self, index: Any) -> float | Unavailable:
        """Return one entry as a number or its reason."""
        why = self.unavailable[index]
        return float(self.values[index]) if why is None else why
