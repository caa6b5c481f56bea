"""A portfolio with its returns, how it stands, and what changed."""

from typing import Any

from services.ops.client.answers.numbers import Measure
from services.ops.client.answers.portfolios import ValueChanges
from services.ops.client.answers.risk import Figure, RiskChanges
from services.ops.client.portfolio_overview import PortfolioOverview
from tests.unit.ops.answers import measured, report

LACKING: Figure = {"value": None, "reason": "INSUFFICIENT_HISTORY", "detail": "12 of 63 returns", "of_covered": None}
VALUE_CHANGED: ValueChanges = {
    "before": {
        "as_of": "2022-12-27",
        "revision": 1,
        "known_at": "2022-12-27T22:00:00Z",
        "code_version": 2,
        "equity": "10000.00",
    },
    "after": {
        "as_of": "2022-12-28",
        "revision": 1,
        "known_at": "2022-12-28T22:00:00Z",
        "code_version": 2,
        "equity": "10640.00",
    },
    "total": "640.00",
    "parts": [{"part": "flows", "amount": "500.00"}, {"part": "prices", "amount": "140.00"}],
    "by_position": [
        {"symbol": "A&B", "positions": "0.00", "dividends": "0.00", "prices": "140.00", "total": "140.00"},
        {"symbol": "STILL", "positions": "0.00", "dividends": "0.00", "prices": "0.00", "total": "0.00"},
    ],
}
RISK_CHANGED: RiskChanges = {
    "before": {"as_of": "2022-12-27", "revision": 1, "known_at": "2022-12-27T22:00:00Z", "code_version": 2},
    "after": {"as_of": "2022-12-28", "revision": 1, "known_at": "2022-12-28T22:00:00Z", "code_version": 2},
    "changes": [
        {
            "measure": "market_beta",
            "before": measured(1.1),
            "after": measured(1.25),
            "total": measured(0.15),
            "parts": [{"part": "prices", "change": measured(0.15)}, {"part": "positions", "change": LACKING}],
        }
    ],
}
UNKNOWN: Measure = {"value": None, "reason": "INSUFFICIENT_HISTORY", "detail": "the chain is broken"}


def overview(**changes: Any) -> PortfolioOverview:
    """Return a portfolio with everything known about it, and how it stands."""
    found: PortfolioOverview = {
        **report(),
        "returns": {
            "day": measured(0.0123),
            "month_to_date": measured(-0.0456),
            "year_to_date": UNKNOWN,
            "since_inception": measured(1.5),
        },
        "readiness": {
            "portfolio_id": "p",
            "name": "<book>",
            "as_of": "2022-12-29",
            "state": "blocked",
            "newest_session": "2022-12-28",
            "causes": [{"kind": "failed", "what": "AAPL has no bar", "todo": "ask the vendor", "subjects": ["AAPL"]}],
            "notes": [],
        },
        "earned": VALUE_CHANGED,
    }
    return {**found, **changes}  # type: ignore[typeddict-item]
