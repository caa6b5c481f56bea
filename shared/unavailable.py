"""A value or the reason why there is none: never zero, a default or NaN in place of "don't know"."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from shared.arrays import BoolArray, FloatArray, ReasonArray


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


def no_reasons(shape: int | tuple[int, ...]) -> ReasonArray:
    """Return an array of reasons in which nothing has one yet."""
    return np.full(shape, None, dtype=object)


def reason_where(where: BoolArray, why: Unavailable) -> ReasonArray:
    """Return one reason where the condition holds, None elsewhere."""
    reasons = no_reasons(where.shape)
    reasons[where] = why
    return reasons


def is_available(reasons: ReasonArray) -> BoolArray:
    """Return where there is no reason."""
    # `Unavailable` is true and None is not: no Python per entry, and half the time of their truth as an array of it.
    available: BoolArray = np.asarray(np.logical_not(reasons), dtype=np.bool_)
    return available


def reason_columns(reasons: ReasonArray) -> tuple[list[Any], list[Any]]:
    """Return reasons and details as lists, nested as the array is, None where there is a number: how tables say why."""
    names, details = no_reasons(reasons.shape), no_reasons(reasons.shape)
    there = ~is_available(reasons)
    names[there] = [why.reason.value for why in reasons[there]]
    details[there] = [why.detail for why in reasons[there]]
    return names.tolist(), details.tolist()


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

    @staticmethod
    def of(values: FloatArray) -> "Quantities":
        """Return numbers that nothing has been said against yet."""
        return Quantities(values, no_reasons(values.shape))

    @staticmethod
    def unavailable_everywhere(shape: tuple[int, ...], why: Unavailable) -> "Quantities":
        """Return an array in which every entry has the same reason."""
        return Quantities(np.full(shape, np.nan), np.full(shape, why, dtype=object))

    @staticmethod
    def side_by_side(parts: "Sequence[Quantities]") -> "Quantities":
        """Return the parts as the columns of a table; a part of two dimensions has several."""
        return Quantities(
            np.column_stack([part.values for part in parts]), np.column_stack([part.unavailable for part in parts])
        )

    @property
    def available(self) -> BoolArray:
        """Where there is a number."""
        return is_available(self.unavailable)

    def withheld(self, reasons: ReasonArray) -> "Quantities":
        """Return the numbers against which there is no reason here; one precedes what was there already."""
        kept = is_available(reasons)
        return Quantities(np.where(kept, self.values, np.nan), np.where(kept, self.unavailable, reasons))

    def part(self, index: Any) -> "Quantities":
        """Return the entries at an index of any kind that arrays have."""
        return Quantities(self.values[index], self.unavailable[index])

    def at(self, index: Any) -> float | Unavailable:
        """Return one entry as a number or its reason."""
        why = self.unavailable[index]
        return float(self.values[index]) if why is None else why
