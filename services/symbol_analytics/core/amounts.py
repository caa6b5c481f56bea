"""Amounts of statements and profiles, one per symbol: a number with its basis and its day, or a reason."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final, Self

import numpy as np

from services.symbol_analytics.core.histories import Figures, Periods
from shared.arrays import BoolArray, DateArray, FloatArray, ReasonArray, TextArray
from shared.conventions import PROFILE_STALE_DAYS, QUARTER_STALE_DAYS, YEAR_STALE_DAYS
from shared.unavailable import Reason, Unavailable, is_available, no_reasons, reason_where

QUARTERS: Final = 4
# Days from the end of a quarter to that of the next: 12 to 17 weeks, and no two of the shortest (fiscal calendars of
# 12 + 12 + 12 + 16 weeks are in use).
QUARTER_DAYS: Final = (77, 126)

TTM: Final = "ttm"  # the sum of the newest four quarters
QUARTERLY: Final = "quarterly"
ANNUAL: Final = "annual"
PROFILE: Final = "profile"  # as the provider's profile has it
PROFILE_SHARES: Final = "profile_shares"  # the profile's number of shares at our close


@dataclass(frozen=True, slots=True, eq=False)
class Amounts:
    """An amount of each symbol, arrays of shape (n_symbols,).

    `values` are NaN, `bases` None and `days` NaT exactly where `unavailable` has an entry. The day is the end of the
    period the amount is of, or the day of the profile's figure.
    """

    values: FloatArray
    unavailable: ReasonArray
    bases: TextArray
    days: DateArray

    @classmethod
    def of(cls, values: FloatArray, *, basis: str, days: DateArray) -> Self:
        """Return amounts on one basis, none of them refused yet."""
        nothing = no_reasons(values.shape)
        return cls(values, nothing, np.full(values.shape, basis, dtype=object), days)

    @property
    def available(self) -> BoolArray:
        """Where there is an amount."""
        return is_available(self.unavailable)

    def without(self, reasons: ReasonArray) -> Self:
        """Return the amounts of the symbols that have no reason here; the others have this reason first."""
        unavailable = np.where(is_available(reasons), self.unavailable, reasons)
        kept = is_available(unavailable)
        bases = self.bases.copy()
        bases[~kept] = None
        days = np.where(kept, self.days, np.datetime64("NaT", "D"))
        return type(self)(np.where(kept, self.values, np.nan), unavailable, bases, days)

    def lacking(self, where: BoolArray, why: Unavailable) -> Self:
        """Return the amounts without those in `where`, all for one reason; a reason that is there already stays."""
        return self.without(reason_where(where & self.available, why))

    def refused(self, where: BoolArray, reason: Reason, detail: Callable[[int], str]) -> Self:
        """Return the amounts without those in `where`, each for its own reason; one that is there already stays."""
        return self.without(reasons_for(where & self.available, reason, detail))

    def or_else(self, other: Self, *, keep: ReasonArray) -> Self:
        """Return these amounts, the other ones where there is none, and where neither is there the reasons `keep`."""
        return self._or_else(other, self.available, keep)

    def or_newer(self, other: Self, *, keep: ReasonArray) -> Self:
        """Return for each symbol the amount of the later day, of the same day this one; otherwise as `or_else`."""
        overtaken = other.available & (other.days > self.days)
        return self._or_else(other, self.available & ~overtaken, keep)

    def _or_else(self, other: Self, mine: BoolArray, keep: ReasonArray) -> Self:
        unavailable = keep.copy()
        unavailable[mine | other.available] = None
        return type(self)(
            np.where(mine, self.values, other.values),
            unavailable,
            np.where(mine, self.bases, other.bases),
            np.where(mine, self.days, other.days),
        )


def reasons_for(where: BoolArray, reason: Reason, detail: Callable[[int], str]) -> ReasonArray:
    """Return a reason with its own detail for each symbol in `where`, None for the others."""
    reasons = no_reasons(where.shape)
    for symbol in np.flatnonzero(where).tolist():
        reasons[symbol] = Unavailable(reason, detail(symbol))
    return reasons


def trailing_year(quarters: Periods, years: Periods, item: str, *, as_of: date, currencies: TextArray) -> Amounts:
    """Return what came in or went out over the newest twelve months that are known.

    The sum over the newest four quarters, if they follow one another and all have the item, or the newest annual
    report, whichever ends later; the quarters, if they end together.

    Parameters
    ----------
    quarters, years : Periods
        Of the statement that has the item, (n_symbols, PERIODS).
    item : str
    as_of : date
        Periods that ended more than QUARTER_STALE_DAYS or YEAR_STALE_DAYS earlier are stale.
    currencies : ndarray of object, shape (n_symbols,)
        What the statement has to be in.

    Returns
    -------
    Amounts
        `MISSING_DATA` without four such quarters and without a year, `STALE_INPUT`, and `NOT_APPLICABLE` in another
        currency; where both are missing, the reason of the quarters if there is any quarter.
    """
    apart = (quarters.ends[:, :-1] - quarters.ends[:, 1:]).astype(np.int64)  # of NaT the least integer
    consecutive = ((apart >= QUARTER_DAYS[0]) & (apart <= QUARTER_DAYS[1])).all(axis=1)
    sums = Amounts.of(quarters.items[item].sum(axis=1), basis=TTM, days=quarters.ends[:, 0])
    sums = _absent(sums, quarters, item)
    sums = _stale(sums, as_of, QUARTER_STALE_DAYS)
    no_sum = Unavailable(Reason.MISSING_DATA, f"{item} is not known of four consecutive quarters")
    sums = sums.lacking(~consecutive | np.isnan(sums.values), no_sum)
    sums = _foreign(sums, quarters, currencies, depth=QUARTERS)
    annual = newest_of(years, item, ANNUAL, as_of=as_of, currencies=currencies)
    return sums.or_newer(annual, keep=np.where(quarters.present[:, 0], sums.unavailable, annual.unavailable))


def newest(quarters: Periods, years: Periods, item: str, *, as_of: date, currencies: TextArray) -> Amounts:
    """Return what stood at the end of the newest period that is known; of two that end together, the quarter's.

    Parameters and reasons as of `trailing_year`, but one quarter is enough.
    """
    quarter = newest_of(quarters, item, QUARTERLY, as_of=as_of, currencies=currencies)
    year = newest_of(years, item, ANNUAL, as_of=as_of, currencies=currencies)
    return quarter.or_newer(year, keep=np.where(quarters.present[:, 0], quarter.unavailable, year.unavailable))


def profile_figure(figures: Figures, name: str, *, as_of: date, basis: str = PROFILE) -> Amounts:
    """Return a figure of the profiles, `STALE_INPUT` if its day is more than PROFILE_STALE_DAYS before `as_of`."""
    known = Amounts.of(figures.values, basis=basis, days=figures.days)
    known = known.lacking(np.isnan(figures.values), Unavailable(Reason.MISSING_DATA, f"the profile has no {name}"))
    return _stale(known, as_of, PROFILE_STALE_DAYS)


def newest_of(periods: Periods, item: str, basis: str, *, as_of: date, currencies: TextArray) -> Amounts:
    """Return the item of the newest period of one frequency; parameters and reasons as of `trailing_year`."""
    found = Amounts.of(periods.items[item][:, 0], basis=basis, days=periods.ends[:, 0])
    found = _absent(found, periods, item)
    found = _stale(found, as_of, QUARTER_STALE_DAYS if basis == QUARTERLY else YEAR_STALE_DAYS)
    unknown = Unavailable(Reason.MISSING_DATA, f"the newest {basis} statement has no {item}")
    found = found.lacking(np.isnan(found.values), unknown)
    return _foreign(found, periods, currencies, depth=1)


def _absent(amounts: Amounts, periods: Periods, item: str) -> Amounts:
    why = Unavailable(Reason.MISSING_DATA, f"no statement with {item} is known")
    return amounts.lacking(~periods.present[:, 0], why)


def _stale(amounts: Amounts, as_of: date, limit: int) -> Amounts:
    days = (np.datetime64(as_of, "D") - amounts.days).astype(np.int64)
    return amounts.refused(
        days > limit,
        Reason.STALE_INPUT,
        lambda symbol: f"the newest is of {amounts.days[symbol]}, {days[symbol]} days ago, limit {limit}",
    )


def _foreign(amounts: Amounts, periods: Periods, currencies: TextArray, *, depth: int) -> Amounts:
    stated = periods.currencies[:, :depth]
    unknown = (stated == None).any(axis=1) | (currencies == None)  # noqa: E711 - entry by entry
    amounts = amounts.refused(
        unknown,
        Reason.MISSING_DATA,
        lambda symbol: f"the currency of the {'price' if currencies[symbol] is None else 'statement'} is not known",
    )
    return amounts.refused(
        (stated != currencies[:, None]).any(axis=1),
        Reason.NOT_APPLICABLE,
        lambda symbol: (
            f"the statement is in {_other(stated[symbol], currencies[symbol])}, the price in {currencies[symbol]}"
        ),
    )


def _other(stated: TextArray, currency: str) -> str:
    return next(str(name) for name in stated if name != currency)
