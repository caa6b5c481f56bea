"""What is shown of a portfolio's stress: the worst scenario, and how the factors add up to it."""

import pytest

from services.ops.client.answers.risk import Scenario
from services.ops.client.portfolio_report import worst_scenario
from tests.unit.ops.answers import MISSING, measured, scenario


def _scenario(name: str, model: float | None) -> Scenario:
    return scenario(name, MISSING if model is None else measured(model))


@pytest.mark.parametrize(
    ("scenarios", "expected"),
    [
        ([("a", -1.0), ("b", -3.0), ("c", None)], "b"),
        ([("a", 2.0), ("b", 1.0)], "b"),
        ([("a", None)], None),
        ([], None),
    ],
)
def test_worst_scenario_is_the_one_with_the_smallest_model_pnl(
    scenarios: list[tuple[str, float | None]], expected: str | None
) -> None:
    assert worst_scenario({"scenarios": [_scenario(*entry) for entry in scenarios], "reverse": []}) == expected


def test_worst_scenario_of_a_portfolio_without_stress_is_none() -> None:
    assert worst_scenario(None) is None
