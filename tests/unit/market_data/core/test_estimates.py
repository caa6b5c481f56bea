from datetime import date, timedelta

import pytest

from services.market_data.core.estimates import bar_requests, duration, profile_requests, statement_requests
from services.market_data.core.plans import PLANS, UNLIMITED, Plan, Window
from services.market_data.core.run_plan import Mode, Shard

LAST = date(2022, 12, 28)
BEFORE = date(2022, 12, 27)
FREE = PLANS["massive"]["free"]


def _shard(symbols: int, first: date | None, mode: Mode = Mode.INCREMENTAL) -> Shard:
    names = tuple(f"S{number}" for number in range(symbols))
    return Shard(names, mode, first, None if first is None else LAST, symbols)


def test_night_of_a_bulk_vendor_costs_sessions_and_months_however_many_symbols_and_shards_there_are() -> None:
    shards = [_shard(520, BEFORE) for _ in range(10)]

    assert bar_requests("massive", FREE, shards, waiting=0) == 2 + 2
    assert bar_requests("massive", FREE, shards, waiting=0, known=frozenset({BEFORE})) == 1 + 2
    assert bar_requests("tiingo", UNLIMITED, shards, waiting=0) == 5_200


def test_long_history_of_few_symbols_is_asked_for_one_by_one_unless_many_wait_for_it() -> None:
    few = [_shard(3, date(2022, 1, 3), Mode.BACKFILL)]

    assert bar_requests("massive", FREE, few, waiting=3) == 3 + 2, "three histories, their splits and their dividends"
    assert bar_requests("massive", FREE, few, waiting=5_000) == 249 + 2 * 12


def test_plan_that_reaches_back_two_years_is_asked_for_no_more() -> None:
    load = [_shard(38, LAST - timedelta(days=900), Mode.BACKFILL)]

    assert bar_requests("massive", FREE, load, waiting=5_000) < bar_requests("massive", UNLIMITED, load, waiting=5_000)


def test_what_is_stored_costs_nothing() -> None:
    assert bar_requests("tiingo", UNLIMITED, [_shard(100, None, Mode.NOTHING)], waiting=0) == 0


@pytest.mark.parametrize(("vendor", "profiles", "statements"), [("fmp", 101, 600), ("yahooquery", 101, 100)])
def test_company_costs_what_the_vendor_asks_for_it(vendor: str, profiles: int, statements: int) -> None:
    assert (profile_requests(vendor, [100]), statement_requests(vendor, 100)) == (profiles, statements)
    assert profile_requests(vendor, []) == 0


@pytest.mark.parametrize(
    ("windows", "requests", "seconds"),
    [
        ((), 10_000, 0),
        ((Window(5, 60.0),), 5, 0),
        ((Window(5, 60.0),), 6, 60),
        ((Window(5, 60.0),), 11, 120),
        ((Window(50, 3_600.0), Window(1_000, 86_400.0)), 5_000, 99 * 3_600),
        ((Window(50, 3_600.0), Window(1_000, 86_400.0)), 500, 9 * 3_600),
    ],
)
def test_plan_takes_as_long_as_its_windows(windows: tuple[Window, ...], requests: int, seconds: float) -> None:
    assert duration(Plan(windows), requests) == timedelta(seconds=max(seconds, 4 * 86_400 if requests == 5_000 else 0))
