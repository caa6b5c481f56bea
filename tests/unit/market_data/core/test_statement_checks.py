import math
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.market_data.core.findings import Rule
from services.market_data.core.statement_checks import CheckedStatements, check_statements
from services.market_data.core.statements import GivenStatement
from tests.unit.market_data.core.filings import QUARTER, given

TODAY = date(2024, 3, 5)


def check(*statements: GivenStatement) -> CheckedStatements:
    return check_statements(statements, provider="files", today=TODAY)


def test_statement_that_says_what_it_can_is_accepted_as_it_is() -> None:
    loss = replace(
        given(total_revenue=0.0, net_income=-5.0, tax_provision=-1.0, interest_expense=-2.0),
        published_on=QUARTER + timedelta(days=30),
        fiscal_year=2024,
        fiscal_quarter=1,
    )

    assert check(loss) == CheckedStatements((loss,), ())


@pytest.mark.parametrize(
    ("statement", "item", "value", "why"),
    [
        ("income", "total_revenue", math.nan, "must be finite"),
        ("income", "net_income", math.inf, "must be finite"),
        ("income", "cost_of_revenue", math.nan, "must be finite"),
        ("income", "basic_average_shares", math.inf, "must be finite"),
        ("income", "net_income", -math.inf, "must be finite"),
        ("income", "total_assets", 1.0, "is no item of income"),
        ("balance", "total_revenue", 1.0, "is no item of balance"),
        ("income", "cost_of_revenue", -1.0, "must not be negative"),
        ("cash_flow", "depreciation_and_amortization", -1.0, "must not be negative"),
        ("balance", "total_debt", -1.0, "must not be negative"),
        ("income", "basic_average_shares", 0.0, "must be positive"),
        ("income", "diluted_average_shares", -1.0, "must be positive"),
        ("cash_flow", "capital_expenditures", 1.0, "must not be positive: cash that leaves is negative"),
        ("cash_flow", "dividends_paid", 1.0, "must not be positive: cash that leaves is negative"),
    ],
)
def test_item_outside_of_what_it_means_is_left_out_and_the_row_is_kept(
    statement: str, item: str, value: float, why: str
) -> None:
    good = {"income": "ebit", "balance": "inventory", "cash_flow": "acquisitions"}[statement]
    spoilt = replace(given(statement, **{good: 3.0, item: value}), file="fundamentals.csv", line=7)

    checked = check(spoilt)

    assert checked.statements[0].items == {good: 3.0}
    (finding,) = checked.findings
    assert (finding.rule, finding.symbol, finding.day) == (Rule.UNUSABLE_FIELD, "ACME", QUARTER)
    assert (finding.file, finding.line, finding.provider) == ("fundamentals.csv", 7, "files")
    assert finding.detail == f"{item} {value!r} {why}"


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("published_on", QUARTER - timedelta(days=1)),
        ("published_on", TODAY + timedelta(days=1)),
        ("currency", "US$"),
        ("currency", "USD\x00"),
        ("fiscal_year", 10**30),
        ("fiscal_year", 2021),
        ("fiscal_quarter", 0),
        ("fiscal_quarter", 5),
    ],
)
def test_label_that_cannot_be_is_left_out_and_the_row_is_kept(label: str, value: Any) -> None:
    checked = check(replace(given(ebit=1.0), **{label: value}))

    assert getattr(checked.statements[0], label) is None
    assert [finding.rule for finding in checked.findings] == [Rule.UNUSABLE_FIELD]
    assert checked.findings[0].detail.startswith(label)


def test_fiscal_quarter_of_a_year_is_left_out() -> None:
    checked = check(replace(given(frequency="annual", ebit=1.0), fiscal_quarter=4))

    assert checked.statements[0].fiscal_quarter is None
    assert [finding.rule for finding in checked.findings] == [Rule.UNUSABLE_FIELD]


@pytest.mark.parametrize(("days", "accepted"), [(0, True), (1, False), (400, False)])
def test_period_that_has_not_ended_is_rejected(days: int, accepted: bool) -> None:
    checked = check(given(end=TODAY + timedelta(days=days), ebit=1.0))

    assert bool(checked.statements) is accepted
    assert [finding.rule for finding in checked.findings] == ([] if accepted else [Rule.FUTURE_DATE])


@pytest.mark.parametrize("items", [{}, {"ebit": math.nan}])
def test_statement_without_a_usable_item_is_rejected(items: dict[str, Any]) -> None:
    checked = check(given(**items))

    assert checked.statements == ()
    assert checked.findings[-1].rule is Rule.MISSING_VALUE


@pytest.mark.parametrize(("second", "rule"), [(1.0, Rule.DUPLICATE_IDENTICAL), (2.0, Rule.DUPLICATE_CONFLICTING)])
def test_second_statement_of_a_period_is_rejected_and_says_whether_it_differs(second: float, rule: Rule) -> None:
    first = replace(given(ebit=1.0), line=2)

    checked = check(first, given("balance", inventory=1.0), replace(given(ebit=second), line=4))

    assert [each.line for each in checked.statements] == [2, None]
    assert [(finding.rule, finding.line) for finding in checked.findings] == [(rule, 4)]


def test_statement_after_a_spoilt_one_of_its_period_is_taken() -> None:
    checked = check(given(ebit=math.nan), given(ebit=2.0))

    assert [each.items for each in checked.statements] == [{"ebit": 2.0}]
