"""What today's book would have returned, and its volatility: realised, forecast, trend, rank (methodology, 7)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import add_constant

from tests.system.plain.book import Book
from tests.system.plain.known import DEGENERATE, MISSING, SHORT, Number

YEAR = 252


@dataclass(frozen=True)
class Series:
    """Returns of the book over a window, or why there are none, their part of gross exposure, and those before."""

    returns: pd.Series
    why: str | None
    coverage: Number
    history: pd.Series
    over_ten: list[float]

    @property
    def length(self) -> int:
        return 0 if self.why else len(self.returns)


def series_of(book: Book, window: int) -> Series:
    """Weight times return, of the holdings that have every return of the window; options are revalued.

    Where these are less than 95 % of a book without options, of those too that have as many returns in ten ninths of
    the window, on the sessions that all of them have, if there are as many.
    Over ten sessions the shares, those of the deltas too, compound, and what options earn beside them is that of the
    whole move.
    """
    recent = book.returns.iloc[-window:]
    complete = {symbol for symbol in book.symbols if recent[symbol].notna().all()}
    returns = book.returns
    part = book.coverage(complete)
    if isinstance(part, float) and part < 0.95 and not book.options:
        looked_at = returns.iloc[-(window * 10 // 9) :]
        nearly = complete | {symbol for symbol in book.symbols if looked_at[symbol].count() >= window}
        if nearly > complete and len(looked_at[sorted(nearly)].dropna()) >= window:
            complete, returns = nearly, returns.dropna(subset=sorted(nearly))
    coverage = book.coverage(complete)
    old = book.returns.iloc[: len(book.returns) - window + 1].notna().any().any()
    why = book.why_nothing or (None if complete else MISSING if old else SHORT)
    total = pd.Series(0.0, index=returns.index)
    for symbol in sorted(complete):
        total += (book.weight(symbol) if not why else 0.0) * returns[symbol]
    mine = returns[sorted(complete)]
    linear, moves = total.iloc[-window:].to_numpy(), mine.iloc[-window:]
    ends = range(10, len(linear) + 1)
    over_ten = [float(np.prod(1 + linear[end - 10 : end]) - 1) for end in ends]
    if book.options and not why:
        total = total + [_beside_deltas(book, day) for _, day in mine.iterrows()]
        whole = [(1 + moves.iloc[end - 10 : end]).prod() - 1 for end in ends]
        over_ten = [one + _beside_deltas(book, move) for one, move in zip(over_ten, whole, strict=True)]
    return Series(total.iloc[-window:], why, coverage, total, over_ten)


def _beside_deltas(book: Book, moves: pd.Series) -> float:
    return book.beside_deltas({str(name): float(move) for name, move in moves.items()}) / book.equity


def longest_series(book: Book) -> Series:
    """The longest window whose holdings are 95 % of gross; else the one with most of it."""
    candidates = [series_of(book, window) for window in (252, 126, 63)]
    covered = [series.coverage if isinstance(series.coverage, float) else 0.0 for series in candidates]
    enough = [series for series, part in zip(candidates, covered, strict=True) if part >= 0.95]
    return enough[0] if enough else candidates[covered.index(max(covered))]


def volatility(series: Series) -> Number:
    """The annualised sample deviation."""
    return series.why or float(series.returns.std(ddof=1) * np.sqrt(YEAR))


def rolling(series: Series) -> pd.Series:
    """The volatility over each stretch of 21 returns."""
    returns = series.returns.to_numpy()
    stretches = [returns[end - 21 : end] for end in range(21, len(returns) + 1)]
    return pd.Series([float(np.std(stretch, ddof=1)) * np.sqrt(YEAR) for stretch in stretches])


def trend(series: Series) -> tuple[Number, Number]:
    """Slope and R squared of the line through the last ten volatilities, of a series of 30 returns."""
    if series.why:
        return series.why, series.why
    recent = rolling(series).to_numpy()
    fitted = OLS(recent, add_constant(np.arange(float(len(recent))))).fit()
    return float(fitted.params[1]), float(fitted.rsquared) if np.ptp(recent) > 0 else 0.0


def percentile(series: Series) -> Number:
    """The share of a year's volatilities, today's among them, that lie below today's: a series of 272 returns."""
    if series.why:
        return series.why
    volatilities = rolling(series)
    return float((volatilities < volatilities.iloc[-1]).mean())


@dataclass(frozen=True)
class Forecast:
    """Volatility by the sessions that it is over, and how many sessions of 21 are the floor."""

    over: dict[int, Number]
    floored: Number


def har_forecast(series: Series) -> Forecast:
    """Tomorrow's squared return on today's and the means of 5 and 21, iterated: within quietest month and worst day."""
    squared = (series.returns**2).to_numpy()
    why = series.why or (SHORT if len(squared) < 63 else None)
    if why is not None:
        return Forecast(dict.fromkeys((1, 10, 21), why), why)
    rows = [[1.0, *_lags(squared[:end])] for end in range(21, len(squared))]
    x = np.array(rows)
    if np.linalg.matrix_rank((x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-300)) < 3:
        return Forecast(dict.fromkeys((1, 10, 21), DEGENERATE), DEGENERATE)
    coefficients = OLS(squared[21:], x).fit().params
    floor = min(_lags(squared[:end])[-1] for end in range(21, len(squared) + 1))
    path, floored = list(squared), 0
    over: dict[int, Number] = dict.fromkeys((1, 10, 21), DEGENERATE)
    for ahead in range(1, 22):
        forecast = float(coefficients @ np.array([1.0, *_lags(np.array(path))]))
        if forecast > squared.max():
            return Forecast(over, DEGENERATE)
        floored += forecast < floor
        path.append(max(forecast, floor))
        if ahead in over:
            over[ahead] = float(np.sqrt(np.mean(path[-ahead:]) * YEAR))
    return Forecast(over, float(floored))


def against_market(series: Series, market: pd.Series) -> tuple[Number, Number, int]:
    """The annualised deviation of the book from the market, the annualised mean over it, and the sessions of both."""
    if series.why:
        return series.why, series.why, 0
    apart = (series.returns - market).dropna()
    if len(apart) < 60:
        return SHORT, SHORT, len(apart)
    error = float(apart.std(ddof=1) * np.sqrt(YEAR)) if apart.abs().max() > 1e-12 else 0.0
    return error, float(apart.mean() * YEAR) / error if error else DEGENERATE, len(apart)


def _lags(squared: np.ndarray) -> list[float]:
    return [float(np.mean(squared[-lag:])) for lag in (1, 5, 21)]
