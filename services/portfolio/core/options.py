"""Options: Black-Scholes deltas on the underlying, and what they settle at (methodology, 5)."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from scipy.special import ndtr

from services.portfolio.core.cents import round_to_cents
from services.portfolio.core.trades import Exits
from shared.arrays import BoolArray, DateArray, FloatArray, IntArray, ReasonArray
from shared.conventions import (
    DAYS_PER_YEAR,
    OPTION_MULTIPLIER,
    OPTION_RISK_FREE_RATE,
    OPTION_VOLATILITY_WINDOW,
)
from shared.returns import annualised_deviation, simple_returns
from shared.unavailable import Quantities, Reason, Unavailable, no_reasons

NO_CLOSE: Final = Unavailable(Reason.MISSING_DATA, "the underlying has no close on this session")
EXPIRED: Final = Unavailable(Reason.NOT_APPLICABLE, "the option has expired")


@dataclass(frozen=True, slots=True)
class Contracts:
    """The option positions of a shard, arrays of shape (n_options,).

    `position` is the index among all positions, `underlying` the column of the underlying's prices, `strike` that of
    the contract as it was entered, `since` the day from whose close on splits of the underlying change it, `expires` a
    day and `settles` the session that settles it: the same day, or the last session before.
    """

    position: IntArray
    underlying: IntArray
    is_call: BoolArray
    strike: FloatArray
    since: DateArray
    expires: DateArray
    settles: DateArray


@dataclass(frozen=True, slots=True)
class Underlyings:
    """Prices of the underlyings, (n_days, n_underlyings), on consecutive sessions; the roll are the last `n_sessions`.

    They reach back to the first `since`, where prices are known, and OPTION_VOLATILITY_WINDOW sessions before the roll.
    """

    sessions: DateArray
    close: FloatArray
    adjusted: FloatArray
    split: FloatArray
    n_sessions: int

    @property
    def during(self) -> DateArray:
        """Return the sessions of the roll."""
        return self.sessions[-self.n_sessions :]

    @property
    def closes(self) -> FloatArray:
        """Return the closes of the roll."""
        return self.close[-self.n_sessions :]


@dataclass(frozen=True, slots=True)
class OptionExposures:
    """What options are worth in shares of their underlyings, (n_sessions, n_options).

    `delta` a unit; `volatility` the realised one that it assumes for want of an implied one, NaN where there is none.
    """

    contracts: Contracts
    delta: Quantities
    volatility: FloatArray

    @classmethod
    def of(cls, contracts: Contracts, underlyings: Underlyings) -> Self:
        """Return the deltas over the sessions of a roll."""
        volatility = trailing_volatility(underlyings.adjusted, n_sessions=underlyings.n_sessions)
        delta = deltas(
            contracts,
            underlyings.during,
            closes=underlyings.closes,
            strike=strikes(contracts, underlyings),
            volatility=volatility,
        )
        return cls(contracts, delta, volatility.values[:, contracts.underlying])

    def exposures(self, values: IntArray, quantity: FloatArray, closes: FloatArray) -> IntArray:
        """Return exposures in cents: of options with a delta that of its shares, else the market value.

        Parameters
        ----------
        values, quantity : ndarray of shape (n_sessions, n_positions)
            Market values in cents, and quantities.
        closes : ndarray of shape (n_sessions, n_underlyings)
        """
        exposures = values.copy()
        position, known = self.contracts.position, self.delta.available
        shares = self.delta.values * quantity[:, position] * OPTION_MULTIPLIER * closes[:, self.contracts.underlying]
        exposures[:, position] = np.where(known, round_to_cents(np.where(known, shares, 0.0)), values[:, position])
        return exposures


def strikes(contracts: Contracts, underlyings: Underlyings) -> FloatArray:
    """Return the strikes in the shares of each session of the roll: divided by the splits since they were agreed on."""
    # Splits before the agreement are ones, not divided out again: how far the prices reach back changes no bit.
    agreed = underlyings.sessions[:, None] > contracts.since
    growth = np.cumprod(np.where(agreed, underlyings.split[:, contracts.underlying], 1.0), axis=0)
    adjusted: FloatArray = contracts.strike / growth[-underlyings.n_sessions :]
    return adjusted


def black_scholes_delta(
    spot: FloatArray, strike: FloatArray, *, years: FloatArray, volatility: FloatArray, is_call: BoolArray
) -> FloatArray:
    """Return the change of an option's value by a unit of its underlying (Black & Scholes 1973), without dividends.

    Parameters
    ----------
    spot, strike : ndarray
        Positive, currency a share.
    years : ndarray
        Time to expiration, not negative.
    volatility : ndarray
        Annualised fraction, not negative.
    is_call : ndarray of bool

    Returns
    -------
    ndarray
        0 to 1 for a call, -1 to 0 for a put. Without time or volatility the limit: 1 or 0 as the forward is above the
        strike or not.

    Notes
    -----
    NaN policy: propagated. The rate is OPTION_RISK_FREE_RATE, continuously compounded.
    """
    spread = volatility * np.sqrt(years)
    moneyness = np.log(spot / strike) + OPTION_RISK_FREE_RATE * years
    certain = np.where(moneyness > 0, np.inf, -np.inf)
    with np.errstate(over="ignore"):  # next to no volatility is none
        d1 = np.divide(moneyness, spread, out=certain, where=spread > 0) + spread / 2
    call = ndtr(d1)
    delta: FloatArray = np.where(is_call, call, call - 1.0)
    return np.where(np.isfinite(spot) & np.isfinite(volatility), delta, np.nan)


def trailing_volatility(adjusted: FloatArray, *, n_sessions: int) -> Quantities:
    """Return the realised volatility of the last OPTION_VOLATILITY_WINDOW total returns up to each session.

    Parameters
    ----------
    adjusted : ndarray of shape (n_sessions + OPTION_VOLATILITY_WINDOW, n_symbols)
        Total-return adjusted closes of consecutive sessions; NaN where missing.
    n_sessions : int
        How many of the last sessions to look at.

    Returns
    -------
    Quantities of shape (n_sessions, n_symbols)
        Annualised fractions; `INSUFFICIENT_HISTORY` where a return of the window is missing.
    """
    returns = simple_returns(adjusted)
    windows = np.lib.stride_tricks.sliding_window_view(returns, OPTION_VOLATILITY_WINDOW, axis=0)[-n_sessions:]
    stretches = np.ascontiguousarray(windows)
    present = np.isfinite(stretches).sum(axis=-1)
    reasons = no_reasons(present.shape)
    for cell in zip(*np.nonzero(present < OPTION_VOLATILITY_WINDOW), strict=True):
        detail = f"the underlying has {present[cell]} of {OPTION_VOLATILITY_WINDOW} returns"
        reasons[cell] = Unavailable(Reason.INSUFFICIENT_HISTORY, detail)
    return Quantities(annualised_deviation(stretches), reasons)


def deltas(
    contracts: Contracts,
    sessions: DateArray,
    *,
    closes: FloatArray,
    strike: FloatArray,
    volatility: Quantities,
) -> Quantities:
    """Return the unit delta of each option on each session.

    Parameters
    ----------
    contracts : Contracts
    sessions : ndarray of datetime64[D], shape (n_sessions,)
    closes : ndarray of shape (n_sessions, n_underlyings)
        As traded; NaN where missing.
    strike : ndarray of shape (n_sessions, n_options)
        In the shares of the session.
    volatility : Quantities of shape (n_sessions, n_underlyings)

    Returns
    -------
    Quantities of shape (n_sessions, n_options)
        `MISSING_DATA` without a close, the reason of the volatility without one, `NOT_APPLICABLE` from the session on
        that settles it.
    """
    spot = closes[:, contracts.underlying]
    days = (contracts.expires - sessions[:, None]).astype(np.float64)
    reasons: ReasonArray = volatility.unavailable[:, contracts.underlying].copy()
    priced = np.isfinite(spot) & (spot > 0)
    reasons[~priced] = NO_CLOSE
    reasons[contracts.settles <= sessions[:, None]] = EXPIRED
    values = black_scholes_delta(
        np.where(priced, spot, np.nan),
        strike,
        years=np.maximum(days, 0.0) / DAYS_PER_YEAR,
        volatility=volatility.values[:, contracts.underlying],
        is_call=contracts.is_call,
    )
    return Quantities.of(values).withheld(reasons)


def settlements(contracts: Contracts, underlyings: Underlyings) -> Exits:
    """Return the exits by which options end: what is left, at intrinsic value, on the session that settles them.

    An option whose underlying has no close there stays as it is until the close arrives.
    """
    option, session = np.nonzero(contracts.settles[:, None] == underlyings.during)
    spot = underlyings.closes[session, contracts.underlying[option]]
    above = spot - strikes(contracts, underlyings)[session, option]
    intrinsic = np.maximum(np.where(contracts.is_call[option], above, -above), 0.0)
    known = np.isfinite(spot) & (spot > 0)
    return Exits(
        position=contracts.position[option][known],
        session=session[known],
        size=np.full(int(known.sum()), np.nan),
        price=intrinsic[known],
    )
