"""Explanations as a person sees them: one question, and who gave each price."""

from datetime import date
from typing import Any

import pytest
from rich.console import Console, Group

from services.ops.client.client import ApiClient
from services.ops.client.explanation import explanation_tables, load_explanation
from services.ops.errors import NOT_FOUND, Refused
from tests.unit.ops.answers import MEASURED, TRAIL, WHOLE

PRICES: list[dict[str, Any]] = [
    {"symbol": "A&B", "session": "2022-12-28", "close": 50.0, "source": "files"},
    {"symbol": "PRIVATE:HOUSE", "session": None, "close": None, "source": None},
]


def explained(**parts: Any) -> dict[str, Any]:
    numbers = {"stored": MEASURED, "recomputed": MEASURED, "inputs_unchanged": True, "agrees": True}
    return {**numbers, "prices": PRICES, **parts}


def amount() -> dict[str, Any]:
    """Return an explained amount of a snapshot."""
    value = {
        "quantity": 2.0,
        "mark": 50.0,
        "mark_source": "CLOSE",
        "mark_age": 0,
        "market_value": "1.00",
        "pnl": "1.00",
    }
    positions = [{"value": {**value, "symbol": price["symbol"]}, "contribution": "1.00"} for price in PRICES]
    snapshot = {"as_of": "2022-12-28", **TRAIL}
    return explained(measure="pnl", snapshot=snapshot, positions=positions, opening_equity="100.00")


def measure() -> dict[str, Any]:
    """Return an explained measure of risk."""
    holdings = [
        {
            "symbol": price["symbol"],
            "exposure": 1.0,
            "weight": 0.5,
            "betas": {"market_beta": MEASURED},
            "contribution": 0.5,
            "returns": 63,
            "sector": "Energy",
        }
        for price in PRICES
    ]
    head = {"as_of": "2022-12-28", **TRAIL, "equity": 100.0, "coverage": WHOLE}
    return explained(measure="market_beta", holdings=holdings, **head)


class Asked(ApiClient):
    """Answers what it is given and remembers the questions."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def get(self, path: str, **query: Any) -> Any:
        """Answer, or refuse what is unknown."""
        self.asked.append(path)
        if path not in self.answers:
            raise Refused(NOT_FOUND, "no such number")
        return self.answers[path]


def test_amount_is_explained_with_one_question_whatever_it_holds() -> None:
    client = Asked({"/portfolios/p/explain/pnl": amount()})

    assert load_explanation(client, "p", "pnl", date(2022, 12, 28)) == amount()
    assert client.asked == ["/portfolios/p/explain/pnl"]


def test_measure_is_asked_of_risk_once_portfolio_does_not_know_it() -> None:
    client = Asked({"/risk/portfolios/p/explain/market_beta": measure()})

    assert load_explanation(client, "p", "market_beta", None) == measure()
    assert client.asked == ["/portfolios/p/explain/market_beta", "/risk/portfolios/p/explain/market_beta"]


@pytest.mark.parametrize("found", [amount(), measure()], ids=["amount", "measure"])
def test_explanation_shows_the_provider_of_each_price_and_nothing_where_there_is_none(found: dict[str, Any]) -> None:
    console = Console(width=240)
    with console.capture() as captured:
        console.print(Group(*explanation_tables(found)))

    lines = {line.split()[1]: line for line in captured.get().splitlines() if "A&B" in line or "HOUSE" in line}
    assert "files" in lines["A&B"]
    assert "2022-12-28" in lines["A&B"]
    assert "files" not in lines["PRIVATE:HOUSE"]


def test_explanation_of_a_scenario_shows_what_each_factor_adds() -> None:
    value = {"value": -20_000.0, "reason": None, "detail": None}
    factor = {
        "factor": "growth",
        "dollars": value,
        "shock": None,
        "move": 0.05,
        "counted": 0.03,
        "contribution": -600.0,
    }
    console = Console(width=240)
    with console.capture() as captured:
        console.print(Group(*explanation_tables({**measure(), "factors": [factor]})))

    (line,) = [line for line in captured.get().splitlines() if "growth" in line]
    assert "-600.00" in line
    assert "0.03" in line
