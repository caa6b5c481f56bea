"""Options: volatility and greeks of the contracts of a shard, and what they settle at (methodology, 5)."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from services.portfolio.core.cents import round_to_cents
from services.portfolio.core.trades import Exits
from shared.arrays import BoolArray, DateArray, FloatArray, IntArray, ReasonArray
from shared.black_scholes import Greeks, Terms, greeks, implied_volatility
from shared.conventions import (
    DAYS_PER_YEAR,
    OPTION_MULTIPLIER,
    OPTION_VOLATILITY_WINDOW,
    SESSIONS_PER_YEAR,
)
from shared.returns import annualised_deviation, simple_returns
from shared.unavailable import Quantities, Reason, Unavailable, is_available, no_reasons

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

    They reach back to the first `since`, where prices are known, and SESSIONS_PER_YEAR sessions before the roll.
    """

    sessions: DateArray
    close: FloatArray
    adjusted: FloatArray
    split: FloatArray
    dividend: FloatArray
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
    """What options are worth in shares of their underlyings, and how that changes, (n_sessions, n_options).

    `implied` is the volatility of the contracts' own closes, `volatility` that of the greeks: the underlying's realised
    one where none is implied. The greeks are there where `delta`, a unit, is. `terms` are what both are of.
    """

    contracts: Contracts
    terms: Terms
    implied: Quantities
    volatility: FloatArray
    delta: Quantities
    greeks: Greeks

    @classmethod
    def of(cls, contracts: Contracts, underlyings: Underlyings, closes: FloatArray, rates: FloatArray) -> Self:
        """Return the greeks over the sessions of a roll.

        Parameters
        ----------
        contracts : Contracts
        underlyings : Underlyings
        closes : ndarray of shape (n_sessions, n_options)
            The contracts' own; NaN where there is none.
        rates : ndarray of shape (n_sessions,)
            Risk-free, annual and continuously compounded.

        Returns
        -------
        OptionExposures
            `MISSING_DATA` without a close of the underlying, the reason of its realised volatility without that or an
            implied one, `NOT_APPLICABLE` from the session on that settles the option.
        """
        realised = trailing_volatility(underlyings.adjusted, n_sessions=underlyings.n_sessions)
        terms, unknown = _terms(contracts, underlyings, rates)
        known = is_available(unknown)
        implied = implied_volatility(np.where(known, closes, np.nan), terms).withheld(unknown)
        volatility = np.where(implied.available, implied.values, realised.values[:, contracts.underlying])
        found = greeks(terms, volatility)
        reasons: ReasonArray = realised.unavailable[:, contracts.underlying].copy()
        reasons[implied.available] = None
        reasons = np.where(known, reasons, unknown)
        return cls(contracts, terms, implied, volatility, Quantities.of(found.delta).withheld(reasons), found)

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


def dividend_yields(underlyings: Underlyings) -> FloatArray:
    """Return the dividend yields of the underlyings, annual and continuously compounded.

    The cash dividends of the SESSIONS_PER_YEAR sessions up to each, those that are known, in the shares of that
    session, over its close: reinvested, a share becomes ``exp(yield)`` of them in a year.

    Parameters
    ----------
    underlyings : Underlyings

    Returns
    -------
    ndarray of shape (n_sessions, n_underlyings)
        NaN without a close.
    """
    blank = np.zeros((SESSIONS_PER_YEAR, underlyings.close.shape[1]))
    dividend = np.vstack([blank, np.nan_to_num(underlyings.dividend)])
    split = np.vstack([blank + 1.0, underlyings.split])
    paid = np.empty_like(underlyings.closes)
    for row in range(len(paid)):
        end = len(dividend) - len(paid) + row + 1
        year = slice(end - SESSIONS_PER_YEAR, end)
        # One that is ex on a session is of that session's shares: the splits after it count.
        later = np.cumprod(np.vstack([blank[:1] + 1.0, split[year][:0:-1]]), axis=0)[::-1]
        paid[row] = np.ascontiguousarray((dividend[year] / later).T).sum(axis=1)
    priced = is_price(underlyings.closes)
    yields: FloatArray = np.log1p(np.divide(paid, underlyings.closes, out=np.full_like(paid, np.nan), where=priced))
    return yields


def is_price(closes: FloatArray) -> BoolArray:
    """Tell which closes are prices."""
    return np.isfinite(closes) & (closes > 0)


def _terms(contracts: Contracts, underlyings: Underlyings, rates: FloatArray) -> tuple[Terms, ReasonArray]:
    """Return what the contracts are valued on in each session, and why they are not."""
    sessions, underlying = underlyings.during[:, None], contracts.underlying
    spot = underlyings.closes[:, underlying]
    days = np.maximum((contracts.expires - sessions).astype(np.float64), 0.0)
    priced = is_price(spot)
    reasons = no_reasons(spot.shape)
    reasons[~priced] = NO_CLOSE
    reasons[contracts.settles <= sessions] = EXPIRED
    terms = Terms(
        spot=np.where(priced, spot, np.nan),
        strike=strikes(contracts, underlyings),
        years=days / DAYS_PER_YEAR,
        dividend_yield=dividend_yields(underlyings)[:, underlying],
        rate=np.broadcast_to(rates[:, None], spot.shape),
        is_call=np.broadcast_to(contracts.is_call, spot.shape),
    )
    return terms, reasons


def settlements(contracts: Contracts, underlyings: Underlyings) -> Exits:
    """Return the exits by which options end: what is left, at intrinsic value, on the session that settles them.

    An option whose underlying has no close there stays as it is until the close arrives.
    """
    option, session = np.nonzero(contracts.settles[:, None] == underlyings.during)
    spot = underlyings.closes[session, contracts.underlying[option]]
    above = spot - strikes(contracts, underlyings)[session, option]
    intrinsic = np.maximum(np.where(contracts.is_call[option], above, -above), 0.0)
    known = is_price(spot)
    return Exits(
        position=contracts.position[option][known],
        session=session[known],
        size=np.full(int(known.sum()), np.nan),
        price=intrinsic[known],
    )
