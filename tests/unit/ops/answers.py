"""Answers of the platform about one portfolio, as the report takes them."""

from services.ops.client.answers.numbers import LastPrice, Measure, Trail
from services.ops.client.answers.portfolios import (
    ExplainedAmount,
    Extreme,
    Performance,
    PerformancePoint,
    Portfolio,
    PositionValue,
    Realised,
    RealisedWindow,
    Snapshot,
)
from services.ops.client.answers.risk import (
    ActiveSectors,
    Contributions,
    Correlations,
    ExplainedRisk,
    FactorInput,
    FactorMove,
    Figure,
    HoldingInput,
    PortfolioRisk,
    ReverseStress,
    Scenario,
)
from services.ops.client.portfolio_report import PortfolioReport

MEASURED: Figure = {"value": 1.25, "reason": None, "detail": None, "of_covered": None}
WHOLE: Measure = {"value": 1.0, "reason": None, "detail": None}
MISSING: Figure = {
    "value": None,
    "of_covered": None,
    "reason": "MISSING_DATA",
    "detail": "none of the holdings has this beta: 2 <MISSING>",
}
TRAIL: Trail = {
    "as_of": "2022-12-28",
    "revision": 2,
    "known_at": "2022-12-28T22:00:00Z",
    "digest": "abc123",
    "code_version": 2,
}
PRICES: list[LastPrice] = [
    {"symbol": "A&B", "session": "2022-12-28", "close": 50.0, "source": "files"},
    {"symbol": "PRIVATE:HOUSE", "session": None, "close": None, "source": None},
]


def measured(value: float) -> Figure:
    """Return a measure that has a value."""
    return {"value": value, "reason": None, "detail": None, "of_covered": None}


def position(symbol: str) -> PositionValue:
    """Return what a position was worth."""
    return {
        "as_of": "2022-12-28",
        "portfolio_id": "p",
        "position_id": "1",
        "revision": 2,
        "symbol": symbol,
        "sector": "Energy",
        "quantity": 2.0,
        "mark": 50.0,
        "mark_source": "CLOSE",
        "mark_age": 0,
        "value_reason": None,
        "value_detail": None,
        "market_value": "100.00",
        "exposure": "90.00",
        "cost": "97.00",
        "unrealised_pnl": "3.00",
        "pnl": "1.00",
        "exit_pnl": "0.00",
        "realised_pnl": "0.00",
        "gain_reason": None,
        "gain_detail": None,
        "dividends": "0.00",
        "oversold": False,
        "delta": measured(0.45),
        "gamma": 0.01,
        "vega": 0.2,
        "theta": -0.03,
        "rho": 0.1,
        "implied_volatility": {"value": None, "reason": "MISSING_DATA", "detail": "the contract has no close"},
        "assumed_volatility": 0.3,
        "inferred_splits": [],
    }


def snapshot() -> Snapshot:
    """Return a portfolio at the end of a session."""
    return {
        **TRAIL,
        "portfolio_id": "p",
        "equity": "101.00",
        "pnl": "1.00",
        "flow": "0.00",
        "contributions": "0.00",
        "withdrawals": "0.00",
        "cash": "1.00",
        "long_value": "100.00",
        "short_value": "0.00",
        "gross": "100.00",
        "net": "100.00",
        "exit_pnl": "0.00",
        "realised_pnl": "0.00",
        "gain_reason": None,
        "gain_detail": None,
        "dividends": "0.00",
        "positions": 1,
        "long_positions": 1,
        "short_positions": 0,
        "stale_positions": 0,
        "at_cost_positions": 0,
        "unvalued_positions": 0,
        "stale_gross": "0.00",
        "oldest_mark": 0,
        "daily_return": measured(0.01),
        "twr_index": measured(1.01),
    }


def scenario(name: str, model: Figure) -> Scenario:
    """Return what a scenario does to a portfolio."""
    moves: list[FactorMove] = [
        {"factor": "market", "extrapolated": True},
        {"factor": "value", "extrapolated": False},
    ]
    return {
        "scenario": name,
        "name": "Market Down 10%",
        "basis": "hypothetical",
        "direct": MEASURED,
        "model": model,
        "coverage": WHOLE,
        "beyond_gross": True,
        "moves": moves,
    }


def _reverse() -> ReverseStress:
    return {
        "loss": 0.1,
        "distance": measured(4.2),
        "moves": [
            {"factor": "market", "move": -0.041, "deviations": -4.1},
            {"factor": "rate", "move": None, "deviations": None},
        ],
        "nearest": [{"session": "2022-09-13", "book_return": -0.043}],
    }


def factor_input(factor: str, counted: float | None, contribution: float | None) -> FactorInput:
    """Return what a factor brings to a scenario."""
    return {
        "factor": factor,
        "dollars": MEASURED,
        "shock": None,
        "move": counted,
        "counted": counted,
        "contribution": contribution,
    }


def explained_amount() -> ExplainedAmount:
    """Return an explained amount of a snapshot."""
    return {
        "measure": "pnl",
        "stored": MEASURED,
        "recomputed": MEASURED,
        "inputs_unchanged": True,
        "agrees": True,
        "prices": PRICES,
        "snapshot": snapshot(),
        "opening_equity": "100.00",
        "positions": [{"value": position(price["symbol"]), "contribution": "1.00"} for price in PRICES],
    }


def explained_measure() -> ExplainedRisk:
    """Return an explained measure of risk."""
    holdings: list[HoldingInput] = [
        {
            "symbol": price["symbol"],
            "exposure": 1.0,
            "weight": 0.5,
            "betas": {"market_beta": MEASURED},
            "loadings": {"loading_market": measured(0.93), "loading_error_market": measured(0.05)},
            "contribution": 0.5,
            "returns": 63,
            "sector": "Energy",
        }
        for price in PRICES
    ]
    return {
        **TRAIL,
        "measure": "market_beta",
        "stored": MEASURED,
        "recomputed": MEASURED,
        "inputs_unchanged": True,
        "agrees": True,
        "prices": PRICES,
        "equity": 100.0,
        "coverage": WHOLE,
        "holdings": holdings,
        "factors": [],
        "series": [],
    }


def _performance() -> Performance:
    point: PerformancePoint = {"as_of": "2022-12-27", "equity": "100.00", "twr_index": 1.0, "drawdown": 0.0}
    return {
        "first": "2022-12-27",
        "last": "2022-12-28",
        "sessions": 2,
        "contributions": "0.00",
        "withdrawals": "0.00",
        "pnl": "1.00",
        "twr": MEASURED,
        "twr_annual": {"value": None, "reason": "NOT_APPLICABLE", "detail": "2 days are no year"},
        "mwr": MEASURED,
        "mwr_annual": {"value": None, "reason": "NOT_APPLICABLE", "detail": "2 days are no year"},
        "drawdown": {
            "depth": MEASURED,
            "peak": "2022-12-27",
            "trough": "2022-12-28",
            "recovery": None,
            "worst": [{"depth": -0.123, "peak": "2022-12-27", "trough": "2022-12-28", "recovery": None}],
        },
        "points": [point, {**point, "as_of": "2022-12-28", "twr_index": None, "drawdown": None}],
    }


def realised() -> Realised:
    """Return the table of a tear sheet: one window too short, one of a year."""
    short: Measure = {"value": None, "reason": "INSUFFICIENT_HISTORY", "detail": "2 of 60 returns"}
    return {
        "last": "2022-12-28",
        "risk_free_rate": measured(0.05),
        "risk_free_source": "constant",
        "windows": [_window("1M", short, 2), _window("1Y", MEASURED, 252)],
    }


def _window(name: str, measure: Measure, returns: int) -> RealisedWindow:
    extreme: Extreme = {**measure, "on": None if measure["value"] is None else "2022-12-27"}
    return {
        "window": name,
        "returns": returns,
        "total": MEASURED,
        "volatility": measure,
        "downside_deviation": measure,
        "sharpe": measure,
        "sortino": measure,
        "maximum_drawdown": measure,
        "calmar": measure,
        "best_day": extreme,
        "worst_day": extreme,
        "best_month": extreme,
        "worst_month": extreme,
        "hit_rate": measure,
        "skew": measure,
        "excess_kurtosis": measure,
    }


def risk() -> PortfolioRisk:
    """Return the risk of a portfolio."""
    return {
        **TRAIL,
        "portfolio_id": "p",
        "factors": [
            {"factor": "market_beta", "beta": MEASURED, "dollars": MEASURED, "coverage": WHOLE},
            {"factor": "growth", "beta": MISSING, "dollars": MISSING, "coverage": WHOLE},
        ],
        "sectors": [
            {
                "sector": "Energy",
                "net": "100.00",
                "gross": "100.00",
                "net_over_equity": MEASURED,
                "gross_over_equity": MEASURED,
            }
        ],
        "measures": [
            {
                "measure": "volatility_63d",
                "value": MEASURED,
                "coverage": WHOLE,
                "unit": "1",
                "observations": 63,
                "window": 63,
            }
        ],
    }


def correlations() -> Correlations:
    """Return how the holdings move together."""
    return {
        "symbols": ["A&B", "C"],
        "matrix": [[1.0, None], [None, 1.0]],
        "clip": 0.0,
        "missing_pairs": 1,
        "clusters": [{"name": "Energy", "symbols": ["A&B", "C"]}],
    }


def contributions() -> Contributions:
    """Return whose the volatility is."""
    return {
        "volatility": MEASURED,
        "factors": [{"factor": "value", "contribution": 0.1}, {"factor": "growth", "contribution": None}],
        "specific": 0.05,
        "holdings": [{"symbol": "A&B", "weight": 0.9, "contribution": 0.15, "marginal": 0.2}],
    }


def _active_sectors() -> ActiveSectors:
    return {
        "benchmark": "SP500",
        "benchmark_as_of": "2022-12-01",
        "reason": None,
        "detail": None,
        "sectors": [{"sector": "Energy", "benchmark_weight": 0.05, "active": 0.85}],
    }


def _worst_scenario() -> ExplainedRisk:
    return {
        **explained_measure(),
        "measure": "market_down_10.model",
        "stored": measured(-22_000.0),
        "factors": [
            factor_input("market", -0.1, -25_000.0),
            factor_input("value", 0.01, 3_000.0),
            factor_input("growth", None, None),
        ],
    }


def report() -> PortfolioReport:
    """Return a portfolio with everything known about it."""
    portfolio: Portfolio = {
        "name": "<book>",
        "portfolio_id": "p",
        "opened_on": "2022-12-27",
        "opening_equity": "100.00",
        "owner": None,
        "closed_on": None,
        "currency": "USD",
    }
    return {
        "portfolio": portfolio,
        "snapshot": snapshot(),
        "performance": _performance(),
        "realised": realised(),
        "positions": [position("A&B")],
        "risk": risk(),
        "stress": {"scenarios": [scenario("market_down_10", measured(-22_000.0))], "reverse": [_reverse()]},
        "worst_scenario": _worst_scenario(),
        "correlations": correlations(),
        "contributions": contributions(),
        "active_sectors": _active_sectors(),
    }
