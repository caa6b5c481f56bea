from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.symbol_analytics.core.columns import RATIOS
from services.symbol_analytics.core.valuation_ratios import ValuationRatios, valuation_ratios
from shared.arrays import FloatArray
from shared.unavailable import Quantities, Reason, Unavailable
from tests.unit.symbol_analytics.companies import (
    AS_OF,
    QUARTER_ENDS,
    SESSIONS,
    YEAR_END,
    Company,
    Report,
    Year,
    annual,
    fundamentals,
)

MULTIPLES = ("pe_ratio", "pb_ratio", "ps_ratio", "ev_to_ebitda")
FIFTY_TWO_WEEKS = Company(Year().reports())


def ratios_of(
    *companies: Company, close: float | FloatArray = 20.0, splits: FloatArray | None = None, as_of: date = AS_OF
) -> ValuationRatios:
    stop = int(np.searchsorted(SESSIONS, np.datetime64(as_of))) + 1
    closes = np.broadcast_to(close, (len(SESSIONS), len(companies)))[:stop]
    factors = np.ones_like(closes) if splits is None else splits[:stop]
    return valuation_ratios(closes, factors, SESSIONS[:stop], fundamentals(companies).known_at(as_of))


def ratio(ratios: ValuationRatios, name: str, symbol: int = 0) -> float | Unavailable:
    return ratios.quantities.at((symbol, RATIOS.index(name)))


def why(ratios: ValuationRatios, name: str, symbol: int = 0) -> Reason:
    found = ratio(ratios, name, symbol)
    assert isinstance(found, Unavailable), f"{name} is {found}"
    return found.reason


def origin(ratios: ValuationRatios, name: str, symbol: int = 0) -> tuple[str | None, date | None]:
    column = RATIOS.index(name)
    return ratios.bases[symbol, column], ratios.period_ends[symbol, column].tolist()


def values(ratios: ValuationRatios, symbol: int = 0) -> list[float]:
    found: list[float] = ratios.quantities.values[symbol].tolist()
    return found


def split_at(day: date, factor: float, *, symbols: int = 1) -> FloatArray:
    factors = np.ones((len(SESSIONS), symbols))
    factors[int(np.searchsorted(SESSIONS, np.datetime64(day)))] = factor
    return factors


def test_ratios_of_four_quarters_are_those_worked_out_by_hand() -> None:
    ratios = ratios_of(FIFTY_TWO_WEEKS)
    # 10 shares at 20; 200 / 10, 200 / 50, 200 / 100, (200 + 20) / 20, 2 / 200
    assert values(ratios) == pytest.approx([200.0, 20.0, 4.0, 2.0, 11.0, 0.01], rel=1e-15)
    assert {name: origin(ratios, name) for name in RATIOS} == {
        "market_cap": ("quarterly", QUARTER_ENDS[0]),
        "pe_ratio": ("ttm", QUARTER_ENDS[0]),
        "pb_ratio": ("quarterly", QUARTER_ENDS[0]),
        "ps_ratio": ("ttm", QUARTER_ENDS[0]),
        "ev_to_ebitda": ("ttm", QUARTER_ENDS[0]),
        "dividend_yield": ("ttm", QUARTER_ENDS[0]),
    }


def test_ratios_of_a_published_annual_report_are_those_of_its_figures_per_share() -> None:
    # Apple Inc., Form 10-K for the year to 2023-09-30, filed 2023-11-03, millions; that day's close was 176.65.
    end, filed = date(2023, 9, 30), date(2023, 11, 3)
    company = Company(
        annual(
            end,
            counts_from=filed,
            net_income=96_995.0,
            total_revenue=383_285.0,
            ebitda=114_301.0 + 11_519.0,
            diluted_average_shares=15_812.547,
            total_stockholders_equity=62_146.0,
            net_debt=5_985.0 + 9_822.0 + 95_281.0 - 29_965.0,
            dividends_paid=-15_025.0,
        )
    )
    ratios = ratios_of(company, close=176.65, as_of=filed)
    earnings_per_share = 6.13  # as reported, rounded to the cent
    pe = ratio(ratios, "pe_ratio")
    assert isinstance(pe, float)
    assert 176.65 / (earnings_per_share + 0.005) < pe < 176.65 / (earnings_per_share - 0.005)
    assert values(ratios) == pytest.approx([2_793_286.4, 28.7983, 44.9471, 7.2878, 22.8454, 0.005379], rel=5e-5)
    assert origin(ratios, "pe_ratio") == ("annual", end)


@pytest.mark.parametrize("name", ["market_cap", "pe_ratio", "pb_ratio"])
def test_statement_is_not_used_before_it_counts(name: str) -> None:
    published = date(2024, 7, 20)  # a Saturday
    before, after = (ratios_of(FIFTY_TWO_WEEKS, as_of=day) for day in (date(2024, 7, 19), date(2024, 7, 22)))
    assert FIFTY_TWO_WEEKS.reports[0].counts_from == published
    assert origin(before, name)[1] != QUARTER_ENDS[0]
    assert origin(after, name)[1] == QUARTER_ENDS[0]


def test_restated_item_moves_the_ratio_from_the_day_it_counts() -> None:
    items = {item: getattr(Year(), item)[0] for item in ("total_revenue", "ebitda", "diluted_average_shares")}
    restated = Report(
        "income", "quarterly", QUARTER_ENDS[0], {**items, "net_income": 14.0}, date(2024, 7, 30), revision=2
    )
    company = Company([restated, *FIFTY_TWO_WEEKS.reports])
    assert ratio(ratios_of(company, as_of=date(2024, 7, 29)), "pe_ratio") == 20.0
    assert ratio(ratios_of(company), "pe_ratio") == 10.0


def test_older_revision_is_not_used_whatever_the_order_in_which_they_came() -> None:
    first = Report("balance", "quarterly", QUARTER_ENDS[0], {"total_stockholders_equity": 1.0}, date(2024, 7, 1))
    second, third = (
        replace(first, items={"total_stockholders_equity": equity}, counts_from=date(2024, 7, 2), revision=revision)
        for equity, revision in ((7.0, 2), (100.0, 3))
    )
    income = [report for report in Year().reports() if report.statement == "income"]
    for balances in ([first, second, third], [third, second, first], [second, third, first]):
        assert ratio(ratios_of(Company([*balances, *income])), "pb_ratio") == 2.0


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_gap_between_the_quarters_leaves_the_annual_report(missing: int) -> None:
    ends = [*QUARTER_ENDS, date(2023, 6, 30)]
    kept = tuple(end for index, end in enumerate(ends) if index != missing)
    reports = [*Year(ends=kept).reports(), *annual(net_income=8.0)]
    ratios = ratios_of(Company(reports))
    assert ratio(ratios, "pe_ratio") == 25.0
    assert origin(ratios, "pe_ratio") == ("annual", YEAR_END)
    without = ratios_of(Company(Year(ends=kept).reports()))
    assert ratio(without, "pe_ratio") == Unavailable(
        Reason.MISSING_DATA, "net_income is not known of four consecutive quarters"
    )


def test_quarters_of_a_calendar_of_twelve_and_sixteen_weeks_are_consecutive() -> None:
    last = date(2024, 5, 12)
    ends = (last, *(last - timedelta(weeks=weeks) for weeks in (12, 24, 40)))
    assert origin(ratios_of(Company(Year(ends=ends).reports())), "pe_ratio") == ("ttm", last)


def test_item_missing_in_one_quarter_leaves_the_annual_report() -> None:
    quarters = [
        replace(report, items={k: v for k, v in report.items.items() if k != "ebitda"})
        if report.period_end == QUARTER_ENDS[2]
        else report
        for report in Year().reports()
    ]
    assert why(ratios_of(Company(quarters)), "ev_to_ebitda") == Reason.MISSING_DATA
    ratios = ratios_of(Company([*quarters, *annual(ebitda=40.0)]))
    assert ratio(ratios, "ev_to_ebitda") == 5.5
    assert origin(ratios, "ev_to_ebitda") == ("annual", YEAR_END)


@pytest.mark.parametrize(("end", "basis"), [(QUARTER_ENDS[0], "ttm"), (date(2024, 7, 1), "annual")])
def test_annual_report_is_used_where_it_ends_after_the_quarters(end: date, basis: str) -> None:
    reports = [*Year().reports(), *annual(end, counts_from=AS_OF, net_income=8.0)]
    assert origin(ratios_of(Company(reports)), "pe_ratio") == (basis, end)


@pytest.mark.parametrize(("age", "basis"), [(190, "ttm"), (191, None)])
def test_four_quarters_are_stale_190_days_after_they_ended(age: int, basis: str | None) -> None:
    last = AS_OF - timedelta(days=age)
    ends = tuple(last - timedelta(days=91 * index) for index in range(4))
    ratios = ratios_of(Company(Year(ends=ends).reports()))
    assert origin(ratios, "ps_ratio")[0] == basis
    if basis is None:
        detail = f"the newest is of {last}, 191 days ago, limit 190"
        assert ratio(ratios, "ps_ratio") == Unavailable(Reason.STALE_INPUT, detail)


@pytest.mark.parametrize(("age", "available"), [(465, True), (466, False)])
def test_annual_report_is_stale_465_days_after_its_year_ended(age: int, available: bool) -> None:
    reports = annual(AS_OF - timedelta(days=age), net_income=8.0)
    company = Company(reports, figures=[("market_cap", AS_OF, 80.0)])
    ratios = ratios_of(company)
    assert ratio(ratios, "pe_ratio") == 10.0 if available else why(ratios, "pe_ratio") == Reason.STALE_INPUT


@pytest.mark.parametrize(("age", "available"), [(92, True), (93, False)])
@pytest.mark.parametrize(("figure", "name"), [("market_cap", "market_cap"), ("dividend_yield", "dividend_yield")])
def test_figure_of_the_profile_is_stale_after_92_days(age: int, available: bool, figure: str, name: str) -> None:
    day = AS_OF - timedelta(days=age)
    ratios = ratios_of(Company(figures=[(figure, day, 0.5)]))
    if available:
        assert (ratio(ratios, name), *origin(ratios, name)) == (0.5, "profile", day)
    else:
        assert why(ratios, name) == Reason.STALE_INPUT


@pytest.mark.parametrize(
    ("changes", "name", "detail"),
    [
        ({"net_income": (-9.0, 1.0, 2.0, 3.0)}, "pe_ratio", "net income to 2024-06-30 is not positive: -3"),
        ({"net_income": (-6.0, 1.0, 2.0, 3.0)}, "pe_ratio", "net income to 2024-06-30 is not positive: 0"),
        ({"total_stockholders_equity": (-5.0, 1.0, 1.0, 1.0)}, "pb_ratio", "equity to 2024-06-30 is not positive: -5"),
        ({"total_revenue": (0.0, 0.0, 0.0, 0.0)}, "ps_ratio", "revenue to 2024-06-30 is not positive: 0"),
        ({"ebitda": (-50.0, 1.0, 2.0, 3.0)}, "ev_to_ebitda", "EBITDA to 2024-06-30 is not positive: -44"),
    ],
)
def test_multiple_of_what_is_not_positive_does_not_apply(changes: dict[str, Any], name: str, detail: str) -> None:
    ratios = ratios_of(Company(replace(Year(), **changes).reports()))
    assert ratio(ratios, name) == Unavailable(Reason.NOT_APPLICABLE, detail)
    assert sum(isinstance(ratio(ratios, other), float) for other in RATIOS) == len(RATIOS) - 1


def test_enterprise_value_below_zero_is_a_number() -> None:
    ratios = ratios_of(Company(replace(Year(), net_debt=(-300.0, 0.0, 0.0, 0.0)).reports()))
    assert ratio(ratios, "ev_to_ebitda") == -5.0


def test_statement_in_another_currency_than_the_price_does_not_apply_and_names_both() -> None:
    receipt = Company(
        Year(more={"currency": "TWD"}).reports(), [("market_cap", AS_OF, 500.0), ("dividend_yield", AS_OF, 0.02)]
    )
    ratios = ratios_of(receipt)
    for name in MULTIPLES:
        assert ratio(ratios, name) == Unavailable(Reason.NOT_APPLICABLE, "the statement is in TWD, the price in USD")
    # Its statement counts other shares than those that are traded.
    assert (ratio(ratios, "market_cap"), origin(ratios, "market_cap")[0]) == (500.0, "profile")
    assert (ratio(ratios, "dividend_yield"), origin(ratios, "dividend_yield")[0]) == (0.02, "profile")


@pytest.mark.parametrize(("of_statement", "of_price", "whose"), [(None, "USD", "statement"), ("USD", None, "price")])
def test_unknown_currency_is_no_currency(of_statement: str | None, of_price: str | None, whose: str) -> None:
    ratios = ratios_of(Company(Year(more={"currency": of_statement}).reports(), currency=of_price))
    for name in RATIOS:
        if name != "dividend_yield":
            assert ratio(ratios, name) == Unavailable(Reason.MISSING_DATA, f"the currency of the {whose} is not known")


def test_one_quarter_in_another_currency_spoils_the_sum_and_leaves_the_newest_balance_sheet() -> None:
    reports = [
        replace(report, currency="CAD") if report.period_end == QUARTER_ENDS[3] else report
        for report in Year().reports()
    ]
    ratios = ratios_of(Company(reports))
    assert why(ratios, "pe_ratio") == Reason.NOT_APPLICABLE
    assert ratio(ratios, "pb_ratio") == 4.0


def test_fund_has_a_market_value_and_a_yield_but_no_multiples() -> None:
    fund = Company(
        Year().reports(), [("shares_outstanding", AS_OF, 7.0), ("dividend_yield", AS_OF, 0.013)], is_fund=True
    )
    ratios = ratios_of(fund)
    assert {ratio(ratios, name) for name in MULTIPLES} == {
        Unavailable(Reason.NOT_APPLICABLE, "a fund has no statements of its own")
    }
    assert ratio(ratios, "market_cap") == 140.0
    assert (ratio(ratios, "dividend_yield"), origin(ratios, "dividend_yield")[0]) == (0.013, "profile")


def test_symbol_of_which_nothing_is_known_has_a_reason_in_every_cell() -> None:
    ratios = ratios_of(Company())
    assert {why(ratios, name) for name in RATIOS} == {Reason.MISSING_DATA}
    assert not any(ratios.bases.ravel())
    assert np.isnat(ratios.period_ends).all()


@pytest.mark.parametrize(("missing", "reason"), [(1, Reason.MISSING_DATA), (6, Reason.STALE_INPUT)])
def test_symbol_without_a_close_at_as_of_has_no_ratio(missing: int, reason: Reason) -> None:
    closes = np.full((len(SESSIONS), 1), 20.0)
    closes[-missing:] = np.nan
    company = replace(FIFTY_TWO_WEEKS, figures=[("dividend_yield", AS_OF, 0.01)])
    ratios = ratios_of(company, close=closes)
    assert {why(ratios, name) for name in RATIOS} == {reason}


@pytest.mark.parametrize(
    ("day", "basis", "expected"),
    [(date(2024, 6, 29), "quarterly", 200.0), (QUARTER_ENDS[0], "profile_shares", 240.0)],
)
def test_newer_number_of_shares_counts_and_the_profile_s_on_the_same_day(
    day: date, basis: str, expected: float
) -> None:
    ratios = ratios_of(replace(FIFTY_TWO_WEEKS, figures=[("shares_outstanding", day, 12.0)]))
    assert (ratio(ratios, "market_cap"), origin(ratios, "market_cap")[0]) == (expected, basis)


def test_split_leaves_every_ratio_as_it_was() -> None:
    day = date(2024, 7, 25)  # after the publication
    closes = np.where(np.datetime64(day) > SESSIONS, 20.0, 5.0)[:, None]
    assert values(ratios_of(FIFTY_TWO_WEEKS, close=closes, splits=split_at(day, 4.0))) == values(
        ratios_of(FIFTY_TWO_WEEKS)
    )
    for dated, shares in ((date(2024, 7, 24), 10.0), (day, 40.0)):  # of its own day a number is that after the split
        by_profile = Company(figures=[("shares_outstanding", dated, shares)])
        assert ratio(ratios_of(by_profile, close=closes, splits=split_at(day, 4.0)), "market_cap") == 200.0


def test_report_published_after_a_split_counts_the_new_shares() -> None:
    day = date(2024, 7, 10)  # after the end of the quarter, before its publication on the 20th
    year = replace(Year(), diluted_average_shares=(40.0, 10.0, 10.0, 10.0))
    closes = np.where(np.datetime64(day) > SESSIONS, 20.0, 5.0)[:, None]
    assert ratio(ratios_of(Company(year.reports()), close=closes, splits=split_at(day, 4.0)), "market_cap") == 200.0
    undated = Company(replace(year, more={"published": False}).reports())
    assert ratio(ratios_of(undated, close=closes, splits=split_at(day, 4.0)), "market_cap") == Unavailable(
        Reason.MISSING_DATA, "whether the shares of 2024-06-30 are those after the split that followed is not known"
    )
    assert ratio(ratios_of(undated, close=closes), "market_cap") == 200.0


def test_shares_of_before_the_first_close_are_not_used_since_a_split_might_be_unknown() -> None:
    closes = np.full((len(SESSIONS), 1), 20.0)
    closes[: int(np.searchsorted(SESSIONS, np.datetime64("2024-07-22")))] = np.nan
    young = Company(Year().reports())
    assert ratio(ratios_of(young, close=closes), "market_cap") == Unavailable(
        Reason.INSUFFICIENT_HISTORY, "the splits since 2024-06-30 are not all known"
    )
    given_value = replace(young, figures=[("market_cap", AS_OF, 210.0)])
    assert ratio(ratios_of(given_value, close=closes), "market_cap") == 210.0


@pytest.mark.parametrize(
    ("figures", "name"),
    [
        ([("shares_outstanding", AS_OF, 0.0)], "market_cap"),
        ([("market_cap", AS_OF, -1.0)], "market_cap"),
        ([("dividend_yield", AS_OF, -0.01)], "dividend_yield"),
    ],
)
def test_figure_that_cannot_be_is_no_number(figures: list[tuple[str, date, float]], name: str) -> None:
    assert why(ratios_of(Company(figures=figures)), name) == Reason.DEGENERATE_INPUT


def test_company_that_paid_nothing_has_a_yield_of_zero() -> None:
    ratios = ratios_of(Company(replace(Year(), dividends_paid=(0.0, 0.0, 0.0, 0.0)).reports()))
    assert str(ratio(ratios, "dividend_yield")) == "0.0"


def test_dividends_that_came_in_leave_the_profile_s_yield() -> None:
    reports = replace(Year(), dividends_paid=(0.5, 0.5, 0.5, 0.5)).reports()
    assert ratio(ratios_of(Company(reports)), "dividend_yield") == Unavailable(
        Reason.DEGENERATE_INPUT, "dividends paid must not be positive, was 2"
    )
    given_yield = Company(reports, [("dividend_yield", AS_OF, 0.02)])
    assert ratio(ratios_of(given_yield), "dividend_yield") == 0.02


def test_result_beyond_the_range_of_a_float_is_a_reason() -> None:
    ratios = ratios_of(Company(replace(Year(), net_income=(1e-300, 0.0, 0.0, 0.0)).reports()), close=1e12)
    assert ratio(ratios, "pe_ratio") == Unavailable(Reason.DEGENERATE_INPUT, "beyond the range of a float")
    assert ratio(ratios, "ps_ratio") == 1e11


amounts = st.floats(min_value=0.01, max_value=1e6)


@settings(max_examples=40)
@given(close=amounts, quarters=st.lists(st.tuples(*[amounts] * 7), min_size=4, max_size=4))
def test_multiples_times_what_they_are_multiples_of_give_the_market_value_back(
    close: float, quarters: list[tuple[float, ...]]
) -> None:
    income, revenue, ebitda, paid, shares, equity, debt = (tuple(column) for column in zip(*quarters, strict=True))
    year = Year(income, revenue, ebitda, tuple(-amount for amount in paid), shares, equity, debt)
    found = dict(zip(RATIOS, values(ratios_of(Company(year.reports()), close=close)), strict=True))
    value = pytest.approx(found["market_cap"], rel=1e-12)
    assert found["market_cap"] == close * shares[0]
    assert found["pe_ratio"] * sum(income) == value
    assert found["pb_ratio"] * equity[0] == value
    assert found["ps_ratio"] * sum(revenue) == value
    assert found["ev_to_ebitda"] * sum(ebitda) - debt[0] == pytest.approx(found["market_cap"], rel=1e-9, abs=1e-6)
    assert found["dividend_yield"] * found["market_cap"] == pytest.approx(sum(paid), rel=1e-12)


@given(power=st.integers(-30, 30), seed=st.integers(0, 2**32 - 1))
def test_unit_of_the_money_changes_no_bit_of_a_multiple(power: int, seed: int) -> None:
    company = random_company(np.random.default_rng(seed))
    unit = 2.0**power
    money = [
        replace(
            report,
            items={k: v if k == "diluted_average_shares" else v * unit for k, v in report.items.items()},
        )
        for report in company.reports
    ]
    figures = [(name, day, value * unit if name == "market_cap" else value) for name, day, value in company.figures]
    before, after = ratios_of(company), ratios_of(replace(company, reports=money, figures=figures), close=20.0 * unit)
    assert np.array_equal(before.quantities.values[:, 1:], after.quantities.values[:, 1:], equal_nan=True)
    assert np.array_equal(before.quantities.values[:, 0] * unit, after.quantities.values[:, 0], equal_nan=True)


@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_batch_mates_and_order_change_no_bit_of_a_ratio(seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    companies = [random_company(rng) for _ in range(data.draw(st.integers(1, 12)))]
    chosen = data.draw(st.lists(st.integers(0, len(companies) - 1), min_size=1, max_size=20))
    closes = rng.uniform(1.0, 500.0, (len(SESSIONS), len(companies)))
    whole, part = (
        ratios_of(*companies, close=closes),
        ratios_of(*(companies[i] for i in chosen), close=closes[:, chosen]),
    )
    assert np.array_equal(whole.quantities.values[chosen], part.quantities.values, equal_nan=True)
    assert whole.quantities.unavailable[chosen].tolist() == part.quantities.unavailable.tolist()
    assert whole.bases[chosen].tolist() == part.bases.tolist()
    assert has_value_or_reason(part.quantities)


def has_value_or_reason(quantities: Quantities) -> bool:
    return np.array_equal(np.isfinite(quantities.values), [[w is None for w in row] for row in quantities.unavailable])


def random_company(rng: np.random.Generator) -> Company:
    """A company with gaps, restatements, late and early publications, and now and then a figure of its profile."""
    reports = []
    for statement, frequency, items in (
        (statement, frequency, items)
        for statement, items in (
            ("income", ("total_revenue", "ebitda", "net_income", "diluted_average_shares")),
            ("balance", ("total_stockholders_equity", "net_debt")),
            ("cash_flow", ("dividends_paid",)),
        )
        for frequency in ("quarterly", "annual")
    ):
        step = 91 if frequency == "quarterly" else 365
        for index in range(6):
            if rng.random() < 0.15:
                continue
            end = date(2024, 6, 30) - timedelta(days=step * index)
            for revision in range(1, 1 + int(rng.integers(1, 4))):
                numbers = {item: float(rng.normal(5.0, 10.0)) for item in items if rng.random() > 0.1}
                if "dividends_paid" in numbers:
                    numbers["dividends_paid"] = -abs(numbers["dividends_paid"])
                if "diluted_average_shares" in numbers:
                    numbers["diluted_average_shares"] = abs(numbers["diluted_average_shares"]) + 1.0
                counts_from = end + timedelta(days=int(rng.integers(10, 60)))
                reports.append(Report(statement, frequency, end, numbers, counts_from, revision=revision))
    figures = [
        (name, AS_OF - timedelta(days=int(rng.integers(-5, 120))), float(rng.uniform(0.1, 50.0)))
        for name in ("market_cap", "shares_outstanding", "dividend_yield")
        if rng.random() < 0.5
    ]
    return Company(reports, figures)
