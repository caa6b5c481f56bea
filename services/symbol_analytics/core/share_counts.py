"""How many shares there are in today's units, and what they are worth: all symbols at once (methodology, 4)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.symbol_analytics.core.amounts import (
    ANNUAL,
    PROFILE_SHARES,
    QUARTERLY,
    Amounts,
    newest_of,
    profile_figure,
)
from services.symbol_analytics.core.fundamentals import KnownFundamentals
from services.symbol_analytics.core.metrics import later_splits
from shared.arrays import DateArray, FloatArray, IntArray
from shared.unavailable import Reason

SHARES: Final = "diluted_average_shares"


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """The splits of a window, to bring a number of shares of an earlier day to the units of the last session.

    Parameters
    ----------
    sessions : ndarray of datetime64[D], shape (n_sessions,)
    later : ndarray of shape (n_sessions, n_symbols)
        The product of the factors of later sessions.
    first_close : ndarray of int64, shape (n_symbols,)
        The row of the first close; splits before it are not known.
    """

    sessions: DateArray
    later: FloatArray
    first_close: IntArray

    @classmethod
    def of(cls, closes: FloatArray, split_factors: FloatArray, sessions: DateArray) -> "Splits":
        """Return the splits of as-traded closes and their factors, both of shape (n_sessions, n_symbols)."""
        present = ~np.isnan(closes)
        first_close = np.where(present.any(axis=0), present.argmax(axis=0), len(closes)).astype(np.int64)
        return cls(sessions.astype("datetime64[D]"), later_splits(split_factors), first_close)

    def since(self, days: DateArray) -> FloatArray:
        """Return the product of the factors effective after each symbol's day; NaN where they are not all known."""
        rows = np.searchsorted(self.sessions, days, side="right") - 1
        known = ~np.isnat(days) & (rows >= self.first_close)
        factors = self.later[np.maximum(rows, 0), np.arange(len(days))]
        return np.where(known, factors, np.nan)


def market_values(
    closes: FloatArray, split_factors: FloatArray, sessions: DateArray, known: KnownFundamentals
) -> Amounts:
    """Return the number of shares times the close of the last session; without any number, the profile's market value.

    Parameters
    ----------
    closes, split_factors : ndarray of shape (n_sessions, n_symbols)
        As traded, and new shares per old share effective that session; oldest first.
    sessions : ndarray of datetime64[D], shape (n_sessions,)
    known : KnownFundamentals
        As of the last session.

    Returns
    -------
    Amounts
        In the currency of the price; NaN without a close at the last session. `INSUFFICIENT_HISTORY` where the splits
        since the day of the shares are not all known, `DEGENERATE_INPUT` for numbers that are not positive.
    """
    shares = _shares(Splits.of(closes, split_factors, sessions), known)
    own = Amounts(shares.values * closes[-1], shares.unavailable, shares.bases, shares.days)
    figure = known.figures["market_cap"]
    given = _positive(profile_figure(figure, "market_cap", as_of=known.as_of), "the profile's market value")
    return own.or_else(given, keep=np.where(np.isnat(figure.days), shares.unavailable, given.unavailable))


def _shares(splits: Splits, known: KnownFundamentals) -> Amounts:
    """Return the newest number of shares: of one day the profile's before a quarter's before a year's."""
    figure = known.figures["shares_outstanding"]
    given = profile_figure(figure, "shares_outstanding", as_of=known.as_of, basis=PROFILE_SHARES)
    given = _in_todays_units(_positive(given, "the profile's number of shares"), splits.since(figure.days))
    quarter, year = (_reported(splits, known, basis) for basis in (QUARTERLY, ANNUAL))
    any_quarter, any_year = (known.statements["income", basis].present[:, 0] for basis in (QUARTERLY, ANNUAL))
    reported = quarter.or_newer(year, keep=np.where(any_quarter, quarter.unavailable, year.unavailable))
    return given.or_newer(reported, keep=np.where(any_quarter | any_year, reported.unavailable, given.unavailable))


def _reported(splits: Splits, known: KnownFundamentals, basis: str) -> Amounts:
    """Return the diluted average of the newest period.

    A report counts shares in the units of its publication. Where that day is not known, a split between the end of
    the period and the day from which the report counts may be in the number or not.
    """
    periods = known.statements["income", basis]
    shares = newest_of(periods, SHARES, basis, as_of=known.as_of, currencies=known.currencies)
    ends, published = periods.ends[:, 0], periods.published_on[:, 0]
    undated = np.isnat(published)
    factors = splits.since(np.where(undated, ends, published))
    shares = shares.refused(
        undated & (factors != splits.since(periods.counts_from[:, 0])) & ~np.isnan(factors),
        Reason.MISSING_DATA,
        lambda symbol: f"whether the shares of {ends[symbol]} are those after the split that followed is not known",
    )
    return _in_todays_units(_positive(shares, "the number of shares"), factors)


def _in_todays_units(shares: Amounts, factors: FloatArray) -> Amounts:
    shares = shares.refused(
        np.isnan(factors),
        Reason.INSUFFICIENT_HISTORY,
        lambda symbol: f"the splits since {shares.days[symbol]} are not all known",
    )
    return Amounts(shares.values * factors, shares.unavailable, shares.bases, shares.days)


def _positive(amounts: Amounts, what: str) -> Amounts:
    return amounts.refused(
        amounts.values <= 0.0,
        Reason.DEGENERATE_INPUT,
        lambda symbol: f"{what} must be positive, was {amounts.values[symbol]:g}",
    )
