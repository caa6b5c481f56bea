"""Performance as it is served, from snapshots written by hand."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from services.portfolio.core.portfolios import Portfolio
from services.portfolio.storage.snapshot_repository import SnapshotRow
from services.portfolio.web.performance_views import Performance

OPENED = date(2022, 1, 4)
NOTHING = Decimal(0)

# Day, equity at the close, paid in, taken out, index.
Close = tuple[date, str, str, str, float]


def performance_of(closes: Sequence[Close], equity: str = "0") -> Performance:
    portfolio = Portfolio(UUID(int=1), "book", OPENED, Decimal(equity))
    return Performance.of(portfolio, [_snapshot(*close) for close in closes], None)


def _snapshot(day: date, equity: str, paid_in: str, taken_out: str, index: float) -> SnapshotRow:
    said: dict[str, Any] = dict.fromkeys(SnapshotRow._fields)
    said |= {"as_of": day, "revision": 1, "known_at": datetime(2025, 1, 1, tzinfo=UTC), "pnl": NOTHING}
    said |= {"equity": Decimal(equity), "contributions": Decimal(paid_in), "withdrawals": Decimal(taken_out)}
    said |= {"flow": Decimal(paid_in) - Decimal(taken_out), "twr_index": index}
    return SnapshotRow(**said)


def test_year_of_ten_percent_is_one_whatever_comes_and_goes() -> None:
    # 1,000 at the close of 3 January 2022, a year later 1,100 of which 550 leave at that close; 450 are paid in at the
    # open of 5 January, which is the close of the 4th, a day at 10 % a year later; another year, less that day, on.
    first, second = OPENED.replace(year=2023, day=3), OPENED.replace(year=2023)
    grown = 550 * 1.1 ** (1 / 365)
    end = (grown + 450) * 1.1 ** (364 / 365)
    closes: list[Close] = [
        (OPENED, "1000.00", "0", "0", 1.0),
        (first, "550.00", "0", "550.00", 1.1),
        (second, f"{grown:.10f}", "0", "0", 1.1 * 1.1 ** (1 / 365)),
        (second.replace(day=5), f"{grown + 450:.10f}", "450.00", "0", 1.1 * 1.1 ** (1 / 365)),
        (date(2024, 1, 3), f"{end:.10f}", "0", "0", 1.21),
    ]

    found = performance_of(closes, "1000.00")

    assert found.twr_annual.value == pytest.approx(0.1, rel=1e-12)
    assert found.mwr_annual.value == pytest.approx(0.1, rel=1e-10)
    assert [found.contributions, found.withdrawals, found.flows] == [450, 550, -100]


def test_book_whose_money_comes_late_has_the_rate_of_the_time_that_it_was_there() -> None:
    # Opened in January with nothing; 1,000 are paid in on 1 June, there from the close of 31 May, and become 1,100.
    closes: list[Close] = [
        (OPENED, "0", "0", "0", 1.0),
        (date(2022, 5, 31), "0", "0", "0", 1.0),
        (date(2022, 6, 1), "1000.00", "1000.00", "0", 1.0),
        (date(2022, 12, 28), "1100.00", "0", "0", 1.1),
    ]

    found = performance_of(closes)

    assert found.mwr.value == pytest.approx(0.1, rel=1e-14)
    assert found.mwr == performance_of(closes[2:]).mwr
    assert (found.mwr_annual.value, found.mwr_annual.detail) == (None, "211 days are no year")


def test_book_that_was_sold_and_emptied_on_one_day_has_earned_what_it_had() -> None:
    # 10,000 became 10,100, all of which left at that close.
    closes: list[Close] = [
        (date(2022, 12, 20), "10000.00", "0", "0", 1.0),
        (date(2022, 12, 21), "0.00", "0", "10100.00", 1.01),
        (date(2022, 12, 22), "0.00", "0", "0", 1.01),
    ]

    found = performance_of(closes, "10000.00")

    assert found.twr.value == pytest.approx(0.01, rel=1e-14)
    assert found.mwr.value == pytest.approx(0.01, rel=1e-14)
