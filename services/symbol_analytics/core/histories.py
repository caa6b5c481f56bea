"""What was known of a symbol as of a day: dated figures and reported periods, each from a day on and in revisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.arrays import BoolArray, DateArray, FloatArray, IntArray, TextArray

PERIODS: Final = 4  # newest periods that are looked at: the quarters of a year


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Dated entries of the symbols of a shard, in any order and any number a symbol; arrays of shape (n_entries,).

    Parameters
    ----------
    n_symbols : int
    symbol : ndarray of int64
        Whose entry it is.
    day : ndarray of datetime64[D]
        What it is about: the end of a period, the day of a figure.
    counts_from : ndarray of datetime64[D]
        The first day that may use it.
    revision : ndarray of int64
        Of several entries of a symbol about one day, the highest replaces the others once it counts.
    """

    n_symbols: int
    symbol: IntArray
    day: DateArray
    counts_from: DateArray
    revision: IntArray

    def newest(self, as_of: date, *, depth: int) -> IntArray:
        """Return which entries of each symbol are about its latest days, as far as they count.

        Parameters
        ----------
        as_of : date
            Entries that count from a later day are not seen.
        depth : int
            How many days a symbol.

        Returns
        -------
        ndarray of int64, shape (n_symbols, depth)
            Numbers of entries, the latest day first; -1 where there is none.
        """
        seen = np.flatnonzero(self.counts_from <= np.datetime64(as_of, "D"))
        age = -self.day[seen].astype(np.int64)
        seen = seen[np.lexsort((-self.revision[seen], age, self.symbol[seen]))]
        owner, day = self.symbol[seen], self.day[seen]
        replaced = np.zeros(len(seen), dtype=np.bool_)
        replaced[1:] = (owner[1:] == owner[:-1]) & (day[1:] == day[:-1])
        seen, owner = seen[~replaced], owner[~replaced]
        rank = np.arange(len(seen)) - np.searchsorted(owner, owner)
        newest = np.full((self.n_symbols, depth), -1, dtype=np.int64)
        wanted = rank < depth
        newest[owner[wanted], rank[wanted]] = seen[wanted]
        return newest


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """One figure of the profiles as it was known: arrays of shape (n_symbols,); NaN, NaT and None where it was not."""

    values: FloatArray
    days: DateArray
    sources: TextArray


@dataclass(frozen=True, slots=True, eq=False)
class FigureHistory:
    """One figure of the profiles over time; a figure counts from the day it is about."""

    entries: Entries
    values: FloatArray
    sources: TextArray

    def known_at(self, as_of: date) -> Figures:
        """Return the newest figure of each symbol that counts as of a day."""
        chosen = self.entries.newest(as_of, depth=1)[:, 0]
        return Figures(
            _chosen(self.values, chosen, np.nan),
            _chosen(self.entries.day, chosen, np.datetime64("NaT", "D")),
            _chosen(self.sources, chosen, None),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Periods:
    """The newest periods of one statement that were known, the latest first: arrays of shape (n_symbols, PERIODS).

    NaT, None and NaN where there is no such period, and NaN where an item of it is not known.
    """

    ends: DateArray
    published_on: DateArray
    counts_from: DateArray
    currencies: TextArray
    items: Mapping[str, FloatArray]

    @property
    def present(self) -> BoolArray:
        """Where there is a period."""
        return ~np.isnat(self.ends)


@dataclass(frozen=True, slots=True, eq=False)
class StatementHistory:
    """The reported periods of one statement at one frequency, in their revisions; arrays of shape (n_entries,)."""

    entries: Entries
    published_on: DateArray
    currencies: TextArray
    items: Mapping[str, FloatArray]

    def known_at(self, as_of: date) -> Periods:
        """Return the newest periods of each symbol that count as of a day, each in the newest revision that counts."""
        chosen = self.entries.newest(as_of, depth=PERIODS)
        nowhen = np.datetime64("NaT", "D")
        return Periods(
            ends=_chosen(self.entries.day, chosen, nowhen),
            published_on=_chosen(self.published_on, chosen, nowhen),
            counts_from=_chosen(self.entries.counts_from, chosen, nowhen),
            currencies=_chosen(self.currencies, chosen, None),
            items={name: _chosen(values, chosen, np.nan) for name, values in self.items.items()},
        )


def _chosen(values: NDArray[Any], chosen: IntArray, blank: object) -> NDArray[Any]:
    out = np.full(chosen.shape, blank, dtype=values.dtype)
    there = chosen >= 0
    out[there] = values[chosen[there]]
    return out
