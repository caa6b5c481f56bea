"""The 22 scenarios, the moves they imply for the other factors, and the P&L (methodology, 9; docs/decisions/0018)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import root

from tests.system.plain.book import RISK_FACTORS, Book
from tests.system.plain.exposures import FactorExposure
from tests.system.plain.known import MISSING, NOT_APPLICABLE, Number
from tests.system.plain.loadings import Basis

SCENARIOS: dict[str, dict[str, float]] = {
    "market_up_5": {"market": 0.05},
    "market_down_5": {"market": -0.05},
    "rates_up_50bp": {"rate": 0.005},
    "rates_down_50bp": {"rate": -0.005},
    "market_up_10": {"market": 0.10},
    "market_down_10": {"market": -0.10},
    "market_crash_35": {"market": -0.35},
    "market_rally_25": {"market": 0.25},
    "rates_up_25bp": {"rate": 0.0025},
    "rates_down_25bp": {"rate": -0.0025},
    "rates_up_100bp": {"rate": 0.01},
    "rates_down_100bp": {"rate": -0.01},
    "rate_spike_300bp": {"rate": 0.03},
    "value_rotation_20": {"value": 0.20, "growth": -0.10},
    "growth_rally_15": {"growth": 0.15, "momentum": 0.10},
    "small_cap_outperformance_10": {"size": 0.10},
    "quality_flight_12": {"quality": 0.12, "market": -0.05},
    "vix_spike_150": {"low_volatility": -0.25, "market": -0.15},
    "liquidity_crisis": {"market": -0.20, "low_volatility": -0.30, "quality": 0.15, "size": -0.10},
    "financial_crisis_2008": {
        "market": -0.45,
        "value": -0.30,
        "size": -0.25,
        "quality": 0.20,
        "low_volatility": -0.35,
    },
    "covid_crash_2020": {"market": -0.35, "growth": 0.15, "value": -0.40, "size": -0.30, "quality": 0.10},
    "dotcom_crash_2000": {"market": -0.45, "growth": -0.60, "value": 0.20, "momentum": -0.50, "quality": 0.15},
}
# None of their episodes lies in the prices that a night sees.
REPLAYS = ("financial_crisis_2008", "covid_crash_2020", "dotcom_crash_2000")
_BETA = {"market": "market_beta", "rate": "rate_beta"}
DURATION, CONVEXITY = 16.5, 380.0


@dataclass(frozen=True)
class Factors:
    """How the factors move together, and the largest moves; whoever is not in them has no proxy."""

    basis: Basis
    covariance: pd.DataFrame
    largest: dict[str, float]


def factors_of(basis: Basis) -> Factors:
    """The exponentially weighted covariance about zero, over the sessions of a year that all proxies have."""
    weights = pd.Series([0.94**age for age in range(len(basis.factors))][::-1], index=basis.factors.index)
    known = basis.factors.dropna()
    weights = weights[known.index] / weights[known.index].sum()
    covariance = pd.DataFrame(
        {one: {other: float((weights * known[one] * known[other]).sum()) for other in known} for one in known}
    )
    return Factors(basis, covariance, {str(name): max(map(abs, _moves_over_21(known[name]))) for name in known})


def _moves_over_21(returns: pd.Series) -> list[float]:
    growth = 1 + returns.to_numpy()
    return [float(np.prod(growth[end - 21 : end]) - 1) for end in range(21, len(growth) + 1)]


def shocks_of(scenario: str) -> dict[str, float]:
    """What a direct figure takes: a change of yield moves bonds by minus the duration."""
    return {name: -DURATION * size if name == "rate" else size for name, size in SCENARIOS[scenario].items()}


def moves_of(scenario: str, factors: Factors) -> dict[str, float]:
    """The expectation of all factors given what is said; nothing if a factor that is named is not there."""
    said = SCENARIOS[scenario]
    names = [str(name) for name in factors.covariance]
    if not set(said) <= set(names):
        return {}
    rows = [factors.basis.proxies.loc[name] if name == "rate" else pd.Series(0.0, names) for name in said]
    for name, row in zip(said, rows, strict=True):
        row[name] = 1.0
    sizes = [-DURATION * dy + CONVEXITY * dy**2 / 2 if name == "rate" else dy for name, dy in said.items()]
    a, sigma = np.array([row[names] for row in rows]), factors.covariance.loc[names, names].to_numpy()
    found = sigma @ a.T @ np.linalg.inv(a @ sigma @ a.T) @ np.array(sizes)
    return dict(zip(names, found.tolist(), strict=True))


@dataclass(frozen=True)
class Stressed:
    """The P&L of a scenario in currency."""

    direct: Number
    model: Number
    direct_coverage: Number
    model_coverage: Number
    coverage: Number
    beyond_gross: bool
    extrapolated_share: float | None
    at_risen_volatility: float | None


def loaded_symbols(book: Book) -> list[str]:
    """The holdings that have loadings on the factors."""
    return [symbol for symbol in book.symbols if book.loadings[symbol].why is None]


def reversed_stress(book: Book, factors: Factors, loss: float) -> tuple[Number, dict[str, float]]:
    """The distance and the moves of the nearest way to lose a part of equity."""
    inside = loaded_symbols(book)
    why = book.why_nothing or (None if inside else MISSING)
    if why is not None:
        return why, {}
    names = [str(name) for name in factors.covariance]
    d = np.array([sum(book.net[symbol] * book.loadings[symbol].loadings[name] for symbol in inside) for name in names])
    sigma = factors.covariance.loc[names, names].to_numpy()
    amount = loss * book.equity
    found = pd.Series(-amount * sigma @ d / (d @ sigma @ d), names)
    if any(option.underlying in inside for option in book.options):
        found = pd.Series(_reversed_with_options(book, d, sigma, amount, start=found), names)
    if (factors.basis.proxies.loc[names, names] @ found < -1).any():
        return NOT_APPLICABLE, {}
    return float(np.sqrt(found @ np.linalg.inv(sigma) @ found)), {name: float(found[name]) for name in names}


def _by_betas(betas: Mapping[str, Number], shocks: dict[str, float]) -> float:
    known = {name: betas[_BETA.get(name, name)] for name in shocks}
    return sum(size * beta for name, size in shocks.items() if isinstance(beta := known[name], float))


def _reversed_with_options(
    book: Book, d: np.ndarray, sigma: np.ndarray, amount: float, *, start: pd.Series
) -> np.ndarray:
    """Lagrange's conditions solved: the move is along the covariance times the slope of the P&L, which is the loss."""
    names = list(start.index)
    loading = {
        option.underlying: np.array([book.loadings[option.underlying].loadings[name] for name in names])
        for option in book.options
    }

    def pnl(move: np.ndarray) -> float:
        return float(d @ move) + book.beside_deltas({name: float(row @ move) for name, row in loading.items()})

    def slope(move: np.ndarray) -> np.ndarray:
        steps = 1e-5 * np.eye(len(names))
        return np.array([(pnl(move + step) - pnl(move - step)) / 2e-5 for step in steps])

    def conditions(unknown: np.ndarray) -> np.ndarray:
        move, times = unknown[:-1] / 100, unknown[-1]
        return np.array([*(move + times * sigma @ slope(move) / amount) * 100, pnl(move) / amount + 1])

    times = amount**2 / float(d @ sigma @ d)
    solved = root(conditions, np.array([*start * 100, times]), tol=1e-12)
    return np.asarray(solved.x[:-1] / 100)


def _least(coverages: Iterable[Number]) -> Number:
    return min((part for part in coverages if isinstance(part, float)), default=NOT_APPLICABLE)


def stress(book: Book, exposures: dict[str, FactorExposure], factors: Factors, scenario: str) -> Stressed:
    """What a scenario does to a book, directly and by the model."""
    shocks, moves = shocks_of(scenario), moves_of(scenario, factors)
    of = {name: exposures[_BETA.get(name, name)] for name in shocks}
    direct = next((of[name].dollars for name in RISK_FACTORS if name in of and isinstance(of[name].dollars, str)), None)
    if direct is None:
        by_beta = {option.underlying: _by_betas(book.betas[option.underlying], shocks) for option in book.options}
        direct = sum(float(of[name].dollars) * size for name, size in shocks.items()) + book.beside_deltas(by_beta)
    inside = loaded_symbols(book) if moves else []
    parts = {
        name: sum(book.net[symbol] * book.loadings[symbol].loadings[name] for symbol in inside) * move
        for name, move in moves.items()
    }
    why = book.why_nothing or (None if moves else NOT_APPLICABLE) or (None if inside else MISSING)
    by_loading = {
        symbol: sum(book.loadings[symbol].loadings[name] * move for name, move in moves.items()) for symbol in inside
    }
    model: Number = sum(parts.values()) + book.beside_deltas(by_loading) if why is None else why
    risen = sum(parts.values()) + book.beside_deltas(by_loading, times=1.25)
    by_betas = _least(exposure.coverage for exposure in of.values())
    by_model = book.coverage(inside)
    losses = [pnl for pnl in (direct, model) if isinstance(pnl, float)]
    flagged = sum(abs(part) for name, part in parts.items() if abs(moves[name]) > factors.largest[name])
    everything = sum(map(abs, parts.values()))
    return Stressed(
        direct,
        model,
        by_betas,
        by_model,
        _least((by_betas, by_model)),
        any(pnl < -book.total_gross for pnl in losses),
        None if why is not None else flagged / everything if everything else 0.0,
        risen if why is None and book.options and moves["market"] < 0 else None,
    )
