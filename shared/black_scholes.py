"""Black-Scholes with a continuous dividend yield: price, greeks, and the volatility that a price implies."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from scipy.optimize import elementwise
from scipy.special import ndtr

from shared.arrays import BoolArray, FloatArray
from shared.conventions import DAYS_PER_YEAR
from shared.unavailable import Quantities, Reason, Unavailable, no_reasons

# Deviations until expiration: at more, a call is worth its share and a put its discounted strike, in 64 bits.
_WIDEST: Final = 40.0
# Of the spot: a price is as good as its rounding.
_NOISE: Final = 1e-12
_PERCENT: Final = 0.01


@dataclass(frozen=True, slots=True)
class Terms:
    """What options are valued on, arrays of one shape.

    `spot`, not negative, and `strike`, positive, in currency a share; `years` until expiration, not negative;
    `dividend_yield` of the underlying and risk-free `rate`, annual and continuously compounded. NaN is propagated.
    """

    spot: FloatArray
    strike: FloatArray
    years: FloatArray
    dividend_yield: FloatArray
    rate: FloatArray
    is_call: BoolArray

    def part(self, index: Any) -> "Terms":
        """Return the entries at an index of any kind that arrays have."""
        return Terms(*(getattr(self, name)[index] for name in Terms.__slots__))

    @property
    def sign(self) -> FloatArray:
        """Return 1 of calls, -1 of puts."""
        return np.where(self.is_call, 1.0, -1.0)

    @property
    def share(self) -> FloatArray:
        """Return what the share at expiration is worth today: the spot without the dividends until then."""
        return self.spot * np.exp(-self.dividend_yield * self.years)

    @property
    def payment(self) -> FloatArray:
        """Return what the strike at expiration is worth today."""
        return self.strike * np.exp(-self.rate * self.years)

    @property
    def floor(self) -> FloatArray:
        """Return what options are worth without volatility."""
        return np.maximum(self.sign * (self.share - self.payment), 0.0)

    @property
    def ceiling(self) -> FloatArray:
        """Return what options are worth less than at any volatility."""
        return np.where(self.is_call, self.share, self.payment)

    def deviates(self, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return d1 and d2 at a deviation until expiration; without any, infinite as the forward is to the strike."""
        with np.errstate(divide="ignore"):  # a share worth nothing
            moneyness = np.log(self.spot / self.strike) + (self.rate - self.dividend_yield) * self.years
        certain = np.where(moneyness > 0, np.inf, -np.inf)
        with np.errstate(over="ignore"):  # next to no deviation is none
            middle = np.divide(moneyness, spread, out=certain, where=spread > 0)
        return middle + spread / 2, middle - spread / 2


@dataclass(frozen=True, slots=True)
class Greeks:
    """How an option's value, in currency a share, changes: arrays of one shape.

    By `delta` a unit of the underlying, and delta itself by `gamma`; by `vega` a point of volatility (0.01), by `theta`
    a calendar day that passes, by `rho` a point of the rate (0.01).
    """

    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    rho: FloatArray


def black_scholes(terms: Terms, volatility: FloatArray) -> FloatArray:
    """Return the value of options, in currency a share (Black & Scholes 1973; Merton 1973 for the dividends).

    Parameters
    ----------
    terms : Terms
    volatility : ndarray
        Annualised fraction, not negative.
    """
    return _value(terms, volatility * np.sqrt(terms.years))


def _value(terms: Terms, spread: FloatArray) -> FloatArray:
    d1, d2 = terms.deviates(spread)
    sign = terms.sign
    value: FloatArray = sign * (terms.share * ndtr(sign * d1) - terms.payment * ndtr(sign * d2))
    return value


def greeks(terms: Terms, volatility: FloatArray) -> Greeks:
    """Return the derivatives of `black_scholes`; without time or volatility those of what it pays.

    Parameters
    ----------
    terms : Terms
    volatility : ndarray
        Annualised fraction, not negative.
    """
    spread = volatility * np.sqrt(terms.years)
    d1, d2 = terms.deviates(spread)
    sign, carried = terms.sign, np.exp(-terms.dividend_yield * terms.years)
    owned, owed = terms.share * ndtr(sign * d1), terms.payment * ndtr(sign * d2)
    none = np.where(np.isfinite(spread), 0.0, np.nan)
    moving = spread > 0
    with np.errstate(over="ignore", invalid="ignore"):
        density = np.exp(-(d1**2) / 2) / np.sqrt(2 * np.pi)
        gamma = np.divide(carried * density, terms.spot * spread, out=none.copy(), where=moving)
        decay = np.divide(terms.share * density * volatility, 2 * np.sqrt(terms.years), out=none.copy(), where=moving)
    theta = -decay + sign * (terms.dividend_yield * owned - terms.rate * owed)
    return Greeks(
        delta=sign * carried * ndtr(sign * d1),
        gamma=gamma,
        vega=terms.share * density * np.sqrt(terms.years) * _PERCENT,
        theta=theta / DAYS_PER_YEAR,
        rho=sign * terms.years * owed * _PERCENT,
    )


def implied_volatility(price: FloatArray, terms: Terms) -> Quantities:
    """Return the volatility at which options are worth what they cost.

    Parameters
    ----------
    price : ndarray
        Currency a share; NaN where there is none.
    terms : Terms
        With time left, finite and positive wherever there is a price.

    Returns
    -------
    Quantities
        Annualised fractions; `MISSING_DATA` without a price, `DEGENERATE_INPUT` for one that is not above what the
        option is worth without volatility, or not below what it is worth at any.

    Notes
    -----
    The value rises with the deviation until expiration from one bound to the other, so that there is one root between
    them, which is bracketed and not guessed (Chandrupatla 1997). Of options in the money that of the opposite kind, by
    parity: their time value is the difference of numbers that are much larger.
    """
    floor, ceiling = terms.floor, terms.ceiling
    noise = _NOISE * terms.spot
    reasons = no_reasons(price.shape)
    for cell in zip(*np.nonzero(~((price > floor + noise) & (price < ceiling - noise))), strict=True):
        reasons[cell] = _why_none(float(price[cell]), float(floor[cell]), float(ceiling[cell]))
    values = np.full(price.shape, np.nan)
    solved = np.nonzero([reason is None for reason in reasons.flat])[0]
    if solved.size:
        cells = np.unravel_index(solved, price.shape)
        values[cells] = _spread_of(price[cells], terms.part(cells)) / np.sqrt(terms.years[cells])
    return Quantities.of(values).withheld(reasons)


def _spread_of(price: FloatArray, terms: Terms) -> FloatArray:
    """Return the deviations until expiration that prices between the bounds imply."""
    outside = replace(terms, is_call=terms.share <= terms.payment)  # whatever is out of the money
    time_value = price - terms.floor

    def excess(spread: FloatArray, *arguments: FloatArray) -> FloatArray:
        wanted, spot, strike, years, dividend_yield, rate, is_call = arguments
        return _value(Terms(spot, strike, years, dividend_yield, rate, is_call > 0), spread) - wanted

    numbers = (outside.spot, outside.strike, outside.years, outside.dividend_yield, outside.rate)
    arguments = (time_value, *numbers, outside.is_call * 1.0)
    found = elementwise.find_root(excess, (np.zeros_like(price), np.full_like(price, _WIDEST)), args=arguments)
    spread: FloatArray = found.x
    return spread


def _why_none(price: float, floor: float, ceiling: float) -> Unavailable:
    if np.isnan(price):
        return NO_PRICE
    if price < ceiling:
        return Unavailable(
            Reason.DEGENERATE_INPUT, f"the close {price:g} is not above {floor:.6g}, its worth without volatility"
        )
    return Unavailable(
        Reason.DEGENERATE_INPUT, f"the close {price:g} is not below {ceiling:.6g}, its worth at any volatility"
    )


NO_PRICE: Final = Unavailable(Reason.MISSING_DATA, "the contract has no close on this session")
