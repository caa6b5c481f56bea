"""Answers of the platform about one portfolio, as the report takes them."""

from typing import Any

MEASURED = {"value": 1.25, "reason": None, "detail": None}
WHOLE = {"value": 1.0, "reason": None, "detail": None}
MISSING = {"value": None, "reason": "MISSING_DATA", "detail": "none of the holdings has this beta: 2 <MISSING>"}
TRAIL = {"revision": 2, "known_at": "2022-12-28T22:00:00Z", "digest": "abc123", "code_version": 2}


def report() -> dict[str, Any]:
    """Return a portfolio with everything known about it."""
    moves = [
        {"factor": "market", "shock": -0.1, "move": -0.1, "extrapolated": True},
        {"factor": "value", "shock": None, "move": -0.09, "extrapolated": False},
    ]
    scenario = {
        "scenario": "market_down_10",
        "name": "Market Down 10%",
        "basis": "hypothetical",
        "direct": MEASURED,
        "propagated": {"value": -22_000.0, "reason": None, "detail": None},
        "coverage": WHOLE,
        "beyond_gross": True,
        "moves": moves,
    }
    point = {"as_of": "2022-12-27", "equity": "100.00", "twr_index": 1.0, "drawdown": 0.0}
    position = {
        "symbol": "A&B",
        "sector": "Energy",
        "quantity": 2.0,
        "mark": 50.0,
        "mark_source": "CLOSE",
        "mark_age": 0,
        "market_value": "100.00",
        "exposure": "90.00",
        "pnl": "1.00",
        "unrealised_pnl": "3.00",
        "delta": {"value": 0.45, "reason": None, "detail": None},
        "assumed_volatility": 0.3,
    }
    return {
        "portfolio": {"name": "<book>", "portfolio_id": "p"},
        "snapshot": {"as_of": "2022-12-28", "equity": "101.00", **TRAIL},
        "performance": {
            "first": "2022-12-27",
            "last": "2022-12-28",
            "sessions": 2,
            "flows": "0.00",
            "pnl": "1.00",
            "twr": MEASURED,
            "mwr": MEASURED,
            "mwr_annual": {"value": None, "reason": "NOT_APPLICABLE", "detail": "2 days are no year"},
            "drawdown": {"depth": MEASURED, "peak": "2022-12-27", "trough": "2022-12-28", "recovery": None},
            "points": [point, {**point, "as_of": "2022-12-28", "twr_index": None, "drawdown": None}],
        },
        "positions": [position],
        "risk": {
            **TRAIL,
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
        },
        "stress": {"scenarios": [scenario]},
        "worst_scenario": {
            "measure": "market_down_10.propagated",
            "stored": {"value": -22_000.0, "reason": None, "detail": None},
            "factors": [
                {"factor": "market", "counted": -0.1, "contribution": -25_000.0},
                {"factor": "value", "counted": 0.01, "contribution": 3_000.0},
                {"factor": "growth", "counted": None, "contribution": None},
            ],
        },
        "correlations": {
            "symbols": ["A&B", "C"],
            "matrix": [[1.0, None], [None, 1.0]],
            "clip": 0.0,
            "missing_pairs": 1,
            "clusters": [{"name": "Energy", "symbols": ["A&B", "C"]}],
        },
        "contributions": {
            "volatility": MEASURED,
            "factors": [{"factor": "value", "contribution": 0.1}, {"factor": "growth", "contribution": None}],
            "specific": 0.05,
            "holdings": [{"symbol": "A&B", "weight": 0.9, "contribution": 0.15, "marginal": 0.2}],
        },
        "active_sectors": {
            "benchmark": "SP500",
            "benchmark_as_of": "2022-12-01",
            "reason": None,
            "detail": None,
            "sectors": [{"sector": "Energy", "benchmark_weight": 0.05, "active": 0.85}],
        },
    }
