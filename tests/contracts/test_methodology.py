"""What docs/methodology says is what the code does: constants, names, scenarios, evidence, defects, links, formulas."""

import re
from functools import cache

import pytest

from services.risk.core.measures import MEASURES
from services.risk.core.scenarios import SCENARIOS, Scenario
from services.symbol_analytics.core.columns import METRICS
from shared.conventions import FACTORS
from tests.support.methodology import (
    Page,
    broken_links,
    broken_math,
    defect_tests,
    missing_tests,
    page,
    pages,
    strange_names,
    thin_evidence,
    unlisted_defects,
    wrong_constants,
    wrong_listing,
    wrong_names,
)
from tests.support.source import ROOT

ALL = pages()
RISK = ("exposures.md", "volatility.md", "correlation.md", "stress.md", "tail-risk.md")

each_page = pytest.mark.parametrize("of", ALL, ids=lambda of: of.name)


@cache
def names_of_the_code() -> frozenset[str]:
    """Return every word of the code with an underscore."""
    files = (file for folder in ("services", "shared", "tests") for file in (ROOT / folder).rglob("*.py"))
    words = {word for file in files for word in re.findall(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b", file.read_text())}
    return frozenset(words | {*METRICS, *(line.name for line in MEASURES)})


def test_every_page_is_listed_and_every_listed_page_is_there() -> None:
    assert wrong_listing(page("README.md"), [of.name for of in ALL]) == []


@each_page
def test_constants_of_a_page_are_those_of_the_code(of: Page) -> None:
    assert wrong_constants(of) == []


@each_page
def test_tests_that_a_page_names_exist(of: Page) -> None:
    assert missing_tests(of) == []


@each_page
def test_estimators_of_a_page_have_two_kinds_of_evidence(of: Page) -> None:
    assert thin_evidence(of) == []


@each_page
def test_names_in_a_page_occur_in_the_code(of: Page) -> None:
    assert strange_names(of, names_of_the_code()) == []


@each_page
def test_links_of_a_page_lead_somewhere(of: Page) -> None:
    assert broken_links(of) == []


@each_page
def test_formulas_of_a_page_are_balanced(of: Page) -> None:
    assert broken_math(of) == []


def test_measures_of_risk_are_those_of_the_code_with_their_units() -> None:
    text = "\n\n".join(of.text for of in ALL if of.name in RISK)

    expected = {line.name: line.unit for line in MEASURES}
    assert wrong_names(Page("risk", text), header="measure", expected=expected) == []


def test_factors_and_metrics_of_symbols_are_on_their_pages() -> None:
    written = {of.name: set(re.findall(r"`(\w+)`", of.text)) for of in ALL}

    assert set(FACTORS) - written["symbol-factors.md"] == set()
    assert set(METRICS) - written["symbol-metrics.md"] == set()


def _shocks(scenario: Scenario) -> str:
    return ", ".join(f"{factor} {size:+g}" for factor, size in scenario.shocks)


def _row(scenario: Scenario) -> list[str]:
    episode = "" if scenario.episode is None else f"{scenario.episode[0]} to {scenario.episode[1]}"
    return [f"`{scenario.scenario_id}`", scenario.category, scenario.severity, _shocks(scenario), episode]


def test_scenarios_and_their_shocks_are_those_of_the_code() -> None:
    assert list(page("stress.md").tables("scenario", "category")) == [_row(scenario) for scenario in SCENARIOS]


def test_every_test_named_after_a_defect_is_listed_with_it() -> None:
    assert unlisted_defects(page("defects.md"), defect_tests()) == []


def test_every_defect_has_a_test_or_the_reason_why_there_is_none() -> None:
    rows = list(page("defects.md").tables("number", "mistake", "test"))

    assert [row[0] for row in rows if not row[1] or not row[2] or "TODO" in row] == []
    numbers = [row[0] for row in rows]
    expected = [*map(str, range(1, 54)), *(f"Q{n}" for n in range(1, 22)), *(f"G{n}" for n in range(1, 23))]
    assert [number for number in expected if number not in numbers] == []


def test_page_that_is_not_there_and_page_that_is_not_listed_are_told() -> None:
    readme = Page("README.md", "| page | numbers |\n|---|---|\n| [a](a.md) | x |\n")

    assert wrong_listing(readme, ["README.md", "b.md"]) == ["a.md does not exist", "b.md is not listed"]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("| `shared.conventions.SESSIONS_PER_YEAR` | 252 | days |", []),
        ("| `shared.conventions.SESSIONS_PER_YEAR` | 250 | |", ["SESSIONS_PER_YEAR is 252, was 250"]),
        ("| `shared.conventions.LUCK` | 7 | |", ["LUCK does not exist"]),
        ("| `shared.luck.LUCK` | 7 | |", ["LUCK does not exist"]),
    ],
)
def test_constant_with_another_value_is_told(row: str, complaint: list[str]) -> None:
    found = wrong_constants(Page("x", f"| constant | value | |\n|---|---|---|\n{row}\n"))

    assert [line.rpartition("conventions.")[2].rpartition("luck.")[2] for line in found] == complaint


_EVIDENCE = "| estimator | kind | test | figure |\n|---|---|---|---|\n"
_HERE = "`tests/contracts/test_methodology.py::test_constant_with_another_value_is_told`"


@pytest.mark.parametrize(
    ("rows", "complaints"),
    [
        (f"| a, b | hand | {_HERE} | 1 |\n| a | oracle | {_HERE} | 2 |\n", ["b has one kind of evidence"]),
        (f"| a | hand | {_HERE} | 1 |\n| a | hand | {_HERE} | 2 |\n", ["a has one kind of evidence"]),
        (f"| a | hand; oracle | {_HERE} | 1 |\n| b | hand | {_HERE} | 2 |\n", ["b has one kind of evidence"]),
        (f"| a | hand | {_HERE} | 1 |\n| all | oracle | {_HERE} | 2 |\n", []),
        (f"| a | hand | {_HERE} | 1 |\n| all | hand | {_HERE} | 2 |\n", ["a has one kind of evidence"]),
        (f"| a | hand | {_HERE} | 1 |\n| a | oracle | none | 2 |\n", ["a, oracle: needs a test and a figure"]),
        (f"| a | hand | {_HERE} | 1 |\n| a | oracle | {_HERE} | |\n", ["a, oracle: needs a test and a figure"]),
    ],
)
def test_thin_evidence_is_told(rows: str, complaints: list[str]) -> None:
    assert thin_evidence(Page("x", _EVIDENCE + rows)) == complaints


@pytest.mark.parametrize("test", ["tests/contracts/test_methodology.py::test_luck", "tests/none.py::test_luck"])
def test_named_test_that_does_not_exist_is_told(test: str) -> None:
    assert missing_tests(Page("x", f"see {_HERE} and `{test}`")) == [f"{test} does not exist"]


def test_measure_that_is_no_more_or_not_yet_written_or_of_another_unit_is_told() -> None:
    of = Page("x", "| measure | unit | |\n|---|---|---|\n| `old` | 1 | |\n| `same` | 1 | |\n| `other` | bets | |\n")

    found = wrong_names(of, header="measure", expected={"same": "1", "other": "1", "new": "1"})

    assert found == ["old does not exist", "new is not in a table", "other: 1, was bets"]


def test_name_that_the_code_does_not_have_is_told() -> None:
    found = strange_names(Page("x", "`volatility_21d` and `volatility_22d`, but `word`"), frozenset({"volatility_21d"}))

    assert found == ["volatility_22d occurs nowhere in the code"]


def test_link_that_leads_nowhere_is_told() -> None:
    text = "[a](README.md) [b](nowhere.md#part) [c](https://example.org/x) [d](../decisions/nowhere.md)"

    assert broken_links(Page("x", text)) == ["nowhere.md leads nowhere", "../decisions/nowhere.md leads nowhere"]


@pytest.mark.parametrize(
    "text",
    ["$$ a", "one $a and no more\n\nthe next", "$$ \\frac{a}{b $$", "$a}{b$", "$$ \\left( a $$", "$$ $$"],
)
def test_formula_that_does_not_close_is_told(text: str) -> None:
    assert len(broken_math(Page("x", text))) == 1


def test_formula_that_closes_is_left_alone() -> None:
    text = "$x_{1}$ costs `$5` and\n$$ \\left\\{ \\frac{a}{b} \\right\\} $$\n"

    assert broken_math(Page("x", text)) == []


def test_unlisted_defect_is_told() -> None:
    listed, other = ("tests/a.py", "test_defect_1_x"), ("tests/a.py", "test_defect_2_y")

    assert unlisted_defects(Page("x", "`tests/a.py::test_defect_1_x`"), [listed, other]) == [
        "tests/a.py::test_defect_2_y is not listed"
    ]
