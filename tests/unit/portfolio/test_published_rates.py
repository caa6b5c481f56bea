"""Published examples of internal rates of return: from pyxirr, Ghostfolio and Portfolio Performance.

Files in tests/cases/xirr are samples of pyxirr's tests (github.com/Anexen/pyxirr, tests/samples), day and amount.
"""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from services.portfolio.core.money_weighted import MoneyWeighted, money_weighted_return
from shared.unavailable import Reason, Unavailable
from tests.unit.portfolio.test_served_performance import Close, performance_of

SAMPLES = Path(__file__).parents[2] / "cases" / "xirr"


def _rate_of(sample: str) -> MoneyWeighted:
    with (SAMPLES / sample).open(newline="") as file:
        rows = sorted((date.fromisoformat(day), float(amount)) for day, amount in csv.reader(file))
    return money_weighted_return([day for day, _ in rows], np.array([amount for _, amount in rows]))


@pytest.mark.parametrize(("sample", "rate"), [("zeros.csv", 0.175680730580782), ("30-20.csv", -0.8973538214882212)])
def test_one_rate_is_the_published_one(sample: str, rate: float) -> None:
    assert _rate_of(sample).annual == pytest.approx(rate, rel=1e-12)


def test_rate_of_less_than_a_year_is_the_published_one_over_its_days() -> None:
    # Published as -13.423264098831872 % a year; 241 days.
    found = _rate_of("minus_0_13.csv").period
    assert found == pytest.approx((1 - 0.13423264098831872) ** (241 / 365) - 1, rel=1e-8)


@pytest.mark.parametrize(
    ("sample", "published", "told"),
    [
        # 1,000,000 paid in, 5,000 taken out after a year, 3 paid in after two.
        ("minus_0_993.csv", -0.993785049929284, "-0.999597, -0.993785"),
        # Ten are paid in, and ten and 1,338 taken out on the next days: a rate of those days beside two of years.
        ("1938.csv", -0.5945650822679239, "-0.594565, 230.804, inf"),
    ],
)
def test_published_rate_that_is_one_of_several_is_among_those_told_and_not_the_return(
    sample: str, published: float, told: str
) -> None:
    found = _rate_of(sample).annual
    assert found == Unavailable(Reason.DEGENERATE_INPUT, f"several rates of return explain the flows, a year {told}")
    assert f"{published:.6g}" in told


def test_simple_case_of_portfolio_performance() -> None:
    # IRRTest, from a spreadsheet: 200 on 1 January 2010, 210 on 31 December: 5.0140747 % a year, in 364 days 5 %.
    found = money_weighted_return([date(2010, 1, 1), date(2010, 12, 31)], np.array([-200.0, 210.0])).period

    assert found == pytest.approx(1.050140747 ** (364 / 365) - 1, abs=5e-9)
    assert found == pytest.approx(0.05, rel=1e-14)


def test_shares_bought_and_all_sold_of_ghostfolio() -> None:
    # portfolio-calculator-novn-buy-and-sell: two at 75.80 on 7 March 2022, sold at 85.73 on 8 April: 13.1002638524 %.
    # What is paid for them is there from the open of the first day, what they bring leaves at the close of the last.
    closes: list[Close] = [
        (date(2022, 3, 7), "151.60", "151.60", "0", 1.0),
        (date(2022, 4, 8), "0.00", "0", "171.46", 171.46 / 151.6),
        (date(2022, 4, 11), "0.00", "0", "0", 171.46 / 151.6),
    ]

    found = performance_of(closes, "0")

    assert found.twr.value == pytest.approx(0.13100263852242744, rel=1e-14)
    assert found.mwr.value == pytest.approx(0.13100263852242744, rel=1e-14)
    assert (found.contributions, found.withdrawals) == (Decimal("151.60"), Decimal("171.46"))
