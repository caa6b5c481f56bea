"""Money as integer cents: where a float product becomes an amount that adds up exactly."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import numpy as np

from shared.arrays import FloatArray, IntArray

# A few units in the last place: what the roundings of price x quantity x multiplier can add up to.
_TIE_ULPS: Final = 4.0
# Far above any book, far below 63 bits, so that sums over a shard cannot wrap.
_LIMIT: Final = 1e17

# Of quantities and prices as they are entered, and of what splits and exits leave of a quantity.
DECIMALS: Final = 10
# A float keeps every decimal number of so many digits apart from its neighbours.
_DIGITS: Final = 15
_POWERS_OF_TEN: Final = 10.0 ** np.arange(_DIGITS + 1)


class AmountOutOfRange(ValueError):
    """An amount of money that is not finite, or so large that sums of many would not be exact."""


def round_to_cents(amounts: FloatArray) -> IntArray:
    """Return amounts of money in integer cents, ties to the even cent.

    A product that is a tie in decimals is a tie here, although its float lies a few units in the last place beside
    it: ``1 * 10.015`` is 1002 cents, not the 1001 of its float ``10.0149999...``.

    Parameters
    ----------
    amounts : ndarray of any shape
        Portfolio currency, finite.

    Raises
    ------
    AmountOutOfRange
        If an amount is not finite or too large for a sum of many to be exact.

    Examples
    --------
    >>> round_to_cents(np.array([10.005, 10.015, -0.005, 1.234])).tolist()
    [1000, 1002, 0, 123]
    """
    scaled = amounts * 100.0
    return round_half_even(scaled)


def round_half_even(values: FloatArray) -> IntArray:
    """Return floats as integers, ties (up to float noise) to the even one; `AmountOutOfRange` if they cannot be."""
    if not bool(np.all(np.abs(values) < _LIMIT)):
        raise AmountOutOfRange(f"amounts must be finite and below {_LIMIT:.0e} cents, was {np.max(np.abs(values))}")
    below = np.floor(values)
    tie = np.abs(values - below - 0.5) <= _TIE_ULPS * np.spacing(np.abs(values))
    rounded = np.where(tie, below + np.mod(below, 2.0), np.rint(values))
    integers: IntArray = rounded.astype(np.int64)
    return integers


def round_quantity(quantities: FloatArray, *, out_of: FloatArray | None = None) -> FloatArray:
    """Return quantities at ten decimals, or at as many as a float has of the quantity that they are a part of.

    Ten decimals of a million shares are beyond a float: what two sales that sum up to all of them leave would be the
    noise of the subtraction, and the position would never be closed.

    Parameters
    ----------
    quantities : ndarray of shape (n,)
    out_of : ndarray of shape (n,), optional
        What they were taken from; by default themselves.

    Examples
    --------
    >>> held, sold = np.array([1000000.3]), np.array([1000000.2])
    >>> round_quantity(held - sold, out_of=held).tolist()
    [0.1]
    """
    size = np.abs(quantities if out_of is None else out_of)
    # A logarithm takes what is hardly less than a power of ten for that power.
    digits = np.searchsorted(_POWERS_OF_TEN, np.maximum(size, 1.0), side="right")
    scale = 10.0 ** np.clip(_DIGITS - digits, 0, DECIMALS)
    rounded: FloatArray = np.rint(quantities * scale) / scale
    return rounded


def cents_of(amount: Decimal) -> int:
    """Return a decimal amount in integer cents, ties to the even cent."""
    return int((amount * 100).to_integral_value(rounding=ROUND_HALF_EVEN))


def decimal_of(cents: int) -> Decimal:
    """Return integer cents as a decimal amount."""
    return Decimal(cents).scaleb(-2)
