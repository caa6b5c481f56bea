"""The table of risk measures: a new one is a function and a line here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from services.risk.core.books import Books
from services.risk.core.concentration import Concentration, concentration
from services.risk.core.ratios import over_equity
from services.risk.core.volatility import ReturnSeries, realised_volatility, return_series
from shared.unavailable import FloatArray, Quantities


@dataclass(frozen=True)
class RiskInputs:
    """What measures are computed from; what several share is computed once.

    `returns` are total returns of the symbols that `books` points to, (n_symbols, n_sessions), oldest first.
    """

    books: Books
    returns: FloatArray

    @cached_property
    def concentration(self) -> Concentration:
        """Return the concentration of the books."""
        return concentration(self.books)

    @cached_property
    def series_21(self) -> ReturnSeries:
        """Return the return series over 21 sessions."""
        return return_series(self.books, self.returns, window=21)

    @cached_property
    def series_63(self) -> ReturnSeries:
        """Return the return series over 63 sessions."""
        return return_series(self.books, self.returns, window=63)


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure of every portfolio, and the part of the gross exposure it speaks for; both of shape (n_portfolios,)."""

    values: Quantities
    coverage: Quantities


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table."""

    name: str
    what: str
    unit: str
    compute: Callable[[RiskInputs], Measured]


def volatility_21d(inputs: RiskInputs) -> Measured:
    """Return the volatility over 21 sessions."""
    return Measured(realised_volatility(inputs.series_21), inputs.series_21.coverage)


def volatility_63d(inputs: RiskInputs) -> Measured:
    """Return the volatility over 63 sessions."""
    return Measured(realised_volatility(inputs.series_63), inputs.series_63.coverage)


def hhi(inputs: RiskInputs) -> Measured:
    """Return the Herfindahl-Hirschman index."""
    return _of_the_whole_book(inputs.concentration.hhi)


def effective_positions(inputs: RiskInputs) -> Measured:
    """Return the effective number of positions."""
    return _of_the_whole_book(inputs.concentration.effective_positions)


def top_3_concentration(inputs: RiskInputs) -> Measured:
    """Return the weight of the three largest names."""
    return _of_the_whole_book(inputs.concentration.top_3)


def top_10_concentration(inputs: RiskInputs) -> Measured:
    """Return the weight of the ten largest names."""
    return _of_the_whole_book(inputs.concentration.top_10)


def gross_leverage(inputs: RiskInputs) -> Measured:
    """Return gross exposure over equity."""
    books = inputs.books
    return _of_the_whole_book(over_equity(books, books.totals(books.gross).astype(np.float64)))


def net_leverage(inputs: RiskInputs) -> Measured:
    """Return net exposure over equity."""
    books = inputs.books
    return _of_the_whole_book(over_equity(books, books.totals(books.net).astype(np.float64)))


def _of_the_whole_book(values: Quantities) -> Measured:
    return Measured(values, Quantities.available(np.ones(values.values.shape)))


MEASURES: Final = (
    Measure("volatility_21d", "annualised volatility of today's book over the last 21 sessions", "1", volatility_21d),
    Measure("volatility_63d", "annualised volatility of today's book over the last 63 sessions", "1", volatility_63d),
    Measure("hhi", "Herfindahl-Hirschman index of absolute exposure by symbol", "0-10000", hhi),
    Measure("effective_positions", "number of equal positions with the same HHI", "positions", effective_positions),
    Measure("top_3_concentration", "three largest names over total absolute exposure", "1", top_3_concentration),
    Measure("top_10_concentration", "ten largest names over total absolute exposure", "1", top_10_concentration),
    Measure("gross_leverage", "gross exposure over equity", "1", gross_leverage),
    Measure("net_leverage", "net exposure over equity", "1", net_leverage),
)
