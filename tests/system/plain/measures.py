"""Every measure of risk by its name."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.system.plain.book import Book
from tests.system.plain.correlations import average_correlation, correlated, covered, effective_bets
from tests.system.plain.exposures import active_share, concentration, leverage
from tests.system.plain.known import Number
from tests.system.plain.loadings import Basis
from tests.system.plain.model import model_of
from tests.system.plain.series import (
    Series,
    against_market,
    har_forecast,
    longest_series,
    percentile,
    series_of,
    trend,
    volatility,
)
from tests.system.plain.tails import backtest_measures, tail_measures, tested_sessions


@dataclass(frozen=True)
class Measured:
    """A measure, the part of gross exposure it speaks for, and what it looks at."""

    value: Number
    coverage: Number
    observations: int
    window: int


def measures_of(book: Book, basis: Basis, index: Mapping[str, float]) -> dict[str, Measured]:
    """Every measure of a book."""
    return (
        _series_measures(book)
        | _tail_measures(book)
        | _active_measures(book, basis)
        | _joint_measures(book, basis)
        | _state_measures(book)
        | {"active_share": Measured(*active_share(book, index), 0, 0)}
    )


def _of(series: Series, value: Number) -> Measured:
    return Measured(value, series.coverage, series.length, series.length)


def _series_measures(book: Book) -> dict[str, Measured]:
    found = {f"volatility_{n}d": _of(series_of(book, n), volatility(series_of(book, n))) for n in (21, 63)}
    ten, year, longest = series_of(book, 30), series_of(book, 272), longest_series(book)
    slope, strength = trend(ten)
    return found | {
        "volatility_har": _of(longest, har_forecast(longest).over[21]),
        "volatility_har_floored": _of(longest, har_forecast(longest).floored),
        "volatility_trend": _of(ten, slope),
        "volatility_trend_strength": _of(ten, strength),
        "volatility_percentile": _of(year, percentile(year)),
    }


def _tail_measures(book: Book) -> dict[str, Measured]:
    series = longest_series(book)
    found = {name: _of(series, value) for name, value in tail_measures(series, har_forecast(series)).items()}
    found["ten_session_losses"] = _of(series, series.why or float(series.length - 9))
    found["ten_session_losses_apart"] = _of(series, series.why or float(series.length // 10))
    tested = tested_sessions(series)
    for name, value in backtest_measures(series).items():
        known = not isinstance(value, str)
        found[name] = Measured(value, series.coverage, tested * known, (tested + series.length) * known)
    return found


def _active_measures(book: Book, basis: Basis) -> dict[str, Measured]:
    series = longest_series(book)
    error, ratio, sessions = against_market(series, basis.factors["market"])
    found = {"tracking_error": error, "information_ratio": ratio}
    return {name: Measured(value, series.coverage, sessions, series.length) for name, value in found.items()}


def _joint_measures(book: Book, basis: Basis) -> dict[str, Measured]:
    matrix = correlated(book)
    coverage = covered(book, matrix)
    model = model_of(book, basis)
    return {
        "average_correlation": _if_known(average_correlation(book, matrix), coverage, 90),
        "effective_bets": _if_known(effective_bets(book, matrix), coverage, 90),
        **{
            name: Measured(value, model.coverage, model.observations, 0 if model.why else 252)
            for name, value in model.measures().items()
        },
    }


def _if_known(value: Number, coverage: Number, sessions: int) -> Measured:
    looked_at = 0 if isinstance(value, str) else sessions
    return Measured(value, coverage, looked_at, looked_at)


def _state_measures(book: Book) -> dict[str, Measured]:
    return {name: Measured(value, 1.0, 0, 0) for name, value in (concentration(book) | leverage(book)).items()}
