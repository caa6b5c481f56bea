from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from services.market_data.core.statements import GivenStatement, complete_statements, whole_companies
from shared.fundamentals import ITEMS
from tests.unit.market_data.core.filings import QUARTER, completed, given

AMOUNTS = st.floats(min_value=-1e12, max_value=1e12).map(lambda value: round(value, 2))


def _filing(statement: str) -> st.SearchStrategy[GivenStatement]:
    items = st.dictionaries(st.sampled_from(ITEMS[statement]), AMOUNTS)
    return items.map(lambda known: given(statement, **known))


FILINGS = st.tuples(_filing("income"), _filing("balance"), _filing("cash_flow"))


def test_items_that_follow_from_those_given_are_computed() -> None:
    # Revenue 400, cost 300: gross profit 100, a quarter. Operating income 60 and net income 40 of 400: 15 % and 10 %.
    # EBIT 60 + depreciation 20: 80. Debt 10 + 50 = 60; less cash 25: 35; over equity 120: 0.5; equity / 40 shares: 3.
    # Current assets 90, liabilities 60: 30 and 1.5. Cash from operations 70, spent 30: 40, a tenth of the revenue.
    income, balance, cash_flow = completed(
        given(
            total_revenue=400.0,
            cost_of_revenue=300.0,
            operating_income=60.0,
            net_income=40.0,
            ebit=60.0,
            depreciation_and_amortization=20.0,
            basic_average_shares=40.0,
        ),
        given(
            "balance",
            short_term_debt=10.0,
            long_term_debt=50.0,
            cash_and_cash_equivalents=25.0,
            total_stockholders_equity=120.0,
            current_assets=90.0,
            current_liabilities=60.0,
        ),
        given("cash_flow", operating_cash_flow=70.0, capital_expenditures=-30.0),
    )

    assert income.derived == {
        "gross_profit": 100.0,
        "gross_margin": 0.25,
        "operating_margin": 0.15,
        "net_margin": 0.1,
        "ebitda": 80.0,
    }
    assert balance.derived == {
        "total_debt": 60.0,
        "net_debt": 35.0,
        "debt_to_equity": 0.5,
        "book_value_per_share": 3.0,
        "working_capital": 30.0,
        "current_ratio": 1.5,
    }
    assert cash_flow.derived == {"free_cash_flow": 40.0, "fcf_margin": 0.1}


def test_item_that_is_given_stays_and_what_follows_uses_it() -> None:
    (income,) = completed(given(total_revenue=400.0, cost_of_revenue=300.0, gross_profit=96.0))

    assert income.items["gross_profit"] == 96.0
    assert income.derived == {"gross_margin": 0.24}


def test_ebitda_takes_the_depreciation_of_the_cash_flow_where_the_income_statement_has_none() -> None:
    cash_flow = given("cash_flow", depreciation_and_amortization=30.0)

    assert completed(given(ebit=60.0), cash_flow)[0].derived == {"ebitda": 90.0}
    own = given(ebit=60.0, depreciation_and_amortization=20.0)
    assert completed(own, cash_flow)[0].derived == {"ebitda": 80.0}


@pytest.mark.parametrize(
    "other",
    [
        given(end=QUARTER - timedelta(days=92), total_revenue=400.0),
        given(frequency="annual", total_revenue=400.0),
        given(symbol="OTHER", total_revenue=400.0),
        replace(given(total_revenue=400.0), currency="EUR"),
    ],
    ids=["another period", "another frequency", "another company", "another currency"],
)
def test_items_of_another_report_are_not_mixed_in(other: GivenStatement) -> None:
    cash_flow = given("cash_flow", free_cash_flow=40.0)

    assert completed(other, cash_flow)[1].derived == {}
    assert completed(given(total_revenue=400.0), cash_flow)[1].derived == {"fcf_margin": 0.1}


@pytest.mark.parametrize("revenue", [0.0, -0.0, -5.0])
def test_margin_of_no_revenue_is_not_known(revenue: float) -> None:
    (income,) = completed(given(total_revenue=revenue, net_income=-3.0, operating_income=-4.0))

    assert income.derived == {}


def test_debt_over_negative_equity_is_not_known() -> None:
    (balance,) = completed(given("balance", total_debt=10.0, total_stockholders_equity=-2.0))

    assert balance.derived == {}


def test_defect_e47_margin_of_a_company_with_next_to_no_revenue_is_a_number() -> None:
    # A million lost on one dollar of revenue: NUMERIC(8, 6) ends at 99.999999.
    (income,) = completed(given(total_revenue=1.0, net_income=-1_000_000.0))

    assert income.derived == {"net_margin": -1_000_000.0}


def test_margin_beyond_what_a_float_holds_is_not_known() -> None:
    (income,) = completed(given(total_revenue=0.5**900, net_income=2.0**900, operating_income=1.0))

    assert income.derived == {"operating_margin": 2.0**900}


@over(FILINGS)
def test_derived_items_are_those_not_given_and_keep_their_identities(filings: tuple[GivenStatement, ...]) -> None:
    income, balance, cash_flow = (each.items for each in complete_statements(filings))
    for filing, complete in zip(filings, complete_statements(filings), strict=True):
        assert not filing.items.keys() & complete.derived.keys()
        assert complete.items.keys() <= set(ITEMS[filing.period.statement])
        assert filing.items.items() <= complete.items.items()

    def agree(items: dict[str, Any], whole: str, *parts: tuple[float, str], given_items: Any) -> None:
        if whole not in given_items and all(name in items for _, name in parts):
            assert items[whole] == sum(sign * items[name] for sign, name in parts)

    of_income, of_balance, of_cash = (filing.items for filing in filings)
    agree(income, "gross_profit", (1, "total_revenue"), (-1, "cost_of_revenue"), given_items=of_income)
    agree(balance, "working_capital", (1, "current_assets"), (-1, "current_liabilities"), given_items=of_balance)
    agree(balance, "net_debt", (1, "total_debt"), (-1, "cash_and_cash_equivalents"), given_items=of_balance)
    agree(cash_flow, "free_cash_flow", (1, "operating_cash_flow"), (1, "capital_expenditures"), given_items=of_cash)


@over(FILINGS)
def test_order_of_the_statements_changes_no_digest(filings: tuple[GivenStatement, ...]) -> None:
    digests = [
        {each.given.period: each.digest for each in complete_statements(order)} for order in permutations(filings)
    ]

    assert all(digest == digests[0] for digest in digests)


def test_digest_tells_content_apart_and_not_where_it_stands() -> None:
    filing = given(total_revenue=400.0)
    others = [
        given(total_revenue=401.0),
        given(total_revenue=400.0, net_income=4.0),
        replace(filing, published_on=date(2024, 2, 1)),
        replace(filing, currency="EUR"),
        replace(filing, fiscal_year=2023),
        replace(filing, fiscal_quarter=4),
    ]

    (moved,) = completed(replace(filing, file="fundamentals.csv", line=7))
    assert moved.digest == completed(filing)[0].digest
    assert completed(given(ebit=1.0, ebitda=2.0))[0].digest == completed(given(ebitda=2.0, ebit=1.0))[0].digest
    assert len({completed(each)[0].digest for each in (filing, *others)}) == 1 + len(others)


def test_digest_changes_when_a_derived_item_is_given() -> None:
    (derived,) = completed(given(total_revenue=400.0, net_income=40.0))
    (whole,) = completed(given(total_revenue=400.0, net_income=40.0, net_margin=0.1))

    assert derived.items == whole.items
    assert derived.digest != whole.digest


def test_statement_counts_from_its_publication_else_from_the_reporting_lag_after_its_period() -> None:
    (undated,) = completed(given(total_revenue=1.0))
    (dated,) = completed(replace(given(total_revenue=1.0), published_on=date(2024, 2, 1)))

    assert undated.counts_from == date(2024, 3, 30)  # 31 December + 90 days of a leap year
    assert dated.counts_from == date(2024, 2, 1)


@pytest.mark.parametrize(("limit", "companies"), [(1, "A"), (2, "A"), (3, "A"), (4, "AB"), (5, "ABC"), (9, "ABC")])
def test_first_statements_are_cut_between_companies_and_hold_at_least_one(limit: int, companies: str) -> None:
    rows = completed(*(given(symbol=symbol, end=QUARTER - timedelta(days=i)) for i, symbol in enumerate("AABBC")))

    chosen = whole_companies(rows, limit)

    assert {each.given.period.symbol for each in chosen} == set(companies)
    assert chosen == [each for each in rows if each.given.period.symbol in companies]
