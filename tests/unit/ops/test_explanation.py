"""Explanations as a person sees them: one question, and who gave each price."""

from datetime import date
from typing import Any

import pytest
from rich.console import Console, Group

from services.ops.client.answers.risk import ExplainedRisk
from services.ops.client.client import ApiClient
from services.ops.client.explanation import Explanation, explanation_tables, load_explanation
from services.ops.client.routes import Answer, Route
from services.ops.errors import NOT_FOUND, Refused
from tests.unit.ops.answers import explained_amount, explained_measure, factor_input


class Asked(ApiClient):
    """Answers what it is given and remembers the questions."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def get(self, route: Route[Answer], **query: object) -> Answer:
        """Answer, or refuse what is unknown."""
        self.asked.append(route.name)
        if route.name not in self.answers:
            raise Refused(NOT_FOUND, "no such number")
        answer: Answer = self.answers[route.name]
        return answer


def test_amount_is_explained_with_one_question_whatever_it_holds() -> None:
    client = Asked({"GET /portfolios/p/explain/pnl": explained_amount()})

    assert load_explanation(client, "p", "pnl", date(2022, 12, 28)) == explained_amount()
    assert client.asked == ["GET /portfolios/p/explain/pnl"]


def test_measure_is_asked_of_risk_once_portfolio_does_not_know_it() -> None:
    client = Asked({"GET /risk/portfolios/p/explain/market_beta": explained_measure()})

    assert load_explanation(client, "p", "market_beta", None) == explained_measure()
    assert client.asked == ["GET /portfolios/p/explain/market_beta", "GET /risk/portfolios/p/explain/market_beta"]


@pytest.mark.parametrize("found", [explained_amount(), explained_measure()], ids=["amount", "measure"])
def test_explanation_shows_the_provider_of_each_price_and_nothing_where_there_is_none(
    found: Explanation,
) -> None:
    console = Console(width=240)
    with console.capture() as captured:
        console.print(Group(*explanation_tables(found)))

    lines = {line.split()[1]: line for line in captured.get().splitlines() if "A&B" in line or "HOUSE" in line}
    assert "files" in lines["A&B"]
    assert "2022-12-28" in lines["A&B"]
    assert "files" not in lines["PRIVATE:HOUSE"]


def test_explanation_of_a_scenario_shows_what_each_factor_adds() -> None:
    found: ExplainedRisk = {**explained_measure(), "factors": [factor_input("growth", 0.03, -600.0)]}
    console = Console(width=240)
    with console.capture() as captured:
        console.print(Group(*explanation_tables(found)))

    (line,) = [line for line in captured.get().splitlines() if "growth" in line]
    assert "-600.00" in line
    assert "0.03" in line
