"""The 22 scenarios, the moves they imply for the other factors, and the P&L (methodology, 9; docs/decisions/0006)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tests.system.plain.book import RISK_FACTORS, Book
from tests.system.plain.exposures import FactorExposure
from tests.system.plain.known import NOT_APPLICABLE, SHORT, Number, cell
from tests.system.plain.symbols import STYLES

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
DURATION = 16.5


@dataclass(frozen=True)
class Factors:
    """The factors at a session; `why` names those that are not there."""

    covariance: pd.DataFrame
    largest: dict[str, float]
    why: dict[str, str]


def factors_of(returns: pd.DataFrame, *, configured: set[str]) -> Factors:
    """The exponentially weighted covariance over 252 sessions, weighted means removed, and the largest moves."""
    year = returns.iloc[-252:]
    why = {}
    for name in RISK_FACTORS:
        if name not in configured:
            why[name] = NOT_APPLICABLE
        elif year[name].isna().any():
            why[name] = SHORT
    there = [name for name in RISK_FACTORS if name not in why]
    weights = np.array([0.94**age for age in range(252)][::-1])
    weights /= weights.sum()
    deviations = {name: year[name].to_numpy() - float(weights @ year[name].to_numpy()) for name in there}
    covariance = pd.DataFrame(
        {one: {other: float(weights @ (deviations[one] * deviations[other])) for other in there} for one in there}
    )
    largest = {name: max(abs(move) for move in _moves_over_21(year[name])) for name in there}
    return Factors(covariance, largest, why)


def _moves_over_21(returns: pd.Series) -> list[float]:
    growth = 1 + returns.to_numpy()
    return [float(np.prod(growth[end - 21 : end]) - 1) for end in range(21, len(growth) + 1)]


def shocks_of(scenario: str) -> dict[str, float]:
    """Returns of the proxies: a change of yield moves bonds by minus the duration."""
    return {name: -DURATION * size if name == "rate" else size for name, size in SCENARIOS[scenario].items()}


def moves_of(shocks: dict[str, float], factors: Factors) -> dict[str, float]:
    """The shocks, and what they let expect of the other factors; nothing if a shocked factor is not there."""
    if any(name in factors.why for name in shocks):
        return {}
    shocked = list(shocks)
    covariance = factors.covariance[shocked]
    weights = np.linalg.inv(covariance.loc[shocked].to_numpy()) @ np.array([shocks[name] for name in shocked])
    others = [str(name) for name in factors.covariance if name not in shocks]
    return shocks | {name: float(covariance.loc[name].to_numpy() @ weights) for name in others}


def loadings_of(shocks: dict[str, float], factors: Factors) -> dict[str, float]:
    """By how much an exposure counts: the market with its move, a style with what the market leaves of it.

    A shock of the rate counts with what the other shocks do not imply.
    """
    without_rate = {name: size for name, size in shocks.items() if name != "rate"}
    moves = moves_of(without_rate, factors) if without_rate else {}
    market = moves.get("market", 0.0)
    loadings = {"market": market}
    for style in STYLES:
        if style in moves:
            with_market = cell(factors.covariance, style, "market") / cell(factors.covariance, "market", "market")
            loadings[style] = moves[style] - with_market * market
    if "rate" in shocks:
        loadings["rate"] = shocks["rate"] - moves.get("rate", 0.0)
    return loadings


@dataclass(frozen=True)
class Stressed:
    """The P&L of a scenario in currency."""

    direct: Number
    propagated: Number
    coverage: Number
    beyond_gross: bool


def stress(book: Book, exposures: dict[str, FactorExposure], factors: Factors, scenario: str) -> Stressed:
    """What a scenario does to a book, directly and with what moves along."""
    shocks = shocks_of(scenario)
    of = {name: exposures[{"market": "market_beta", "rate": "rate_beta"}.get(name, name)] for name in RISK_FACTORS}
    needed = set(shocks)
    if needed & set(STYLES):
        needed |= {"market", *(style for style in STYLES if style not in factors.why)}
    direct = _why(of, factors, set(shocks)) or _sum(of, shocks)
    propagated = _why(of, factors, needed) or _sum(of, loadings_of(shocks, factors))
    coverages = [of[name].coverage for name in needed]
    coverage = min((part for part in coverages if isinstance(part, float)), default=NOT_APPLICABLE)
    losses = [pnl for pnl in (direct, propagated) if isinstance(pnl, float)]
    return Stressed(direct, propagated, coverage, any(pnl < -book.total_gross for pnl in losses))


def _why(of: dict[str, FactorExposure], factors: Factors, needed: set[str]) -> str | None:
    """The reason of the first factor that is missing."""
    for name in RISK_FACTORS:
        dollars = of[name].dollars
        if name in needed and name in factors.why:
            return factors.why[name]
        if name in needed and isinstance(dollars, str):
            return dollars
    return None


def _sum(of: dict[str, FactorExposure], sizes: dict[str, float]) -> float:
    amounts = {name: of[name].dollars for name in sizes}
    return sum(amount * sizes[name] for name, amount in amounts.items() if isinstance(amount, float))
