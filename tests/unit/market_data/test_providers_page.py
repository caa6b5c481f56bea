"""The tables of docs/providers.md say what the code computes."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from services.market_data.core.estimates import bar_requests, duration, profile_requests, statement_requests
from services.market_data.core.plans import PLANS
from services.market_data.core.run_plan import Mode, Shard
from services.market_data.core.window import planning_window
from shared.calendar import shift_session
from tests.integration.market_data.troubles import TROUBLES

PAGE = Path(__file__).parents[3] / "docs" / "providers.md"
HEAD = "| vendor | plan | a night | the first load | which takes at least |"
TROUBLES_HEAD = "| what comes | the run and `why` say | `status` says |"
LAST = date(2026, 11, 3)
SYMBOLS = tuple(f"S{number}" for number in range(5_000))


def _shards(first: date) -> list[Shard]:
    return [Shard(SYMBOLS[at : at + 500], Mode.BACKFILL, first, LAST, 0) for at in range(0, len(SYMBOLS), 500)]


def _told(took: timedelta) -> str:
    hours = round(took.total_seconds() / 3_600)
    if took >= timedelta(days=2):
        return f"{took.days} days"
    return f"{hours} hours" if hours > 1 else f"{round(took.total_seconds() / 60)} minutes"


def _rows() -> Iterator[str]:
    night, load = _shards(shift_session(LAST, -1)), _shards(planning_window(LAST, LAST)[0].item())
    for vendor, plans in PLANS.items():
        for name, plan in plans.items():
            if vendor in {"massive", "tiingo", "yahoo"}:
                nightly = bar_requests(vendor, plan, night, waiting=0)
                loaded = bar_requests(vendor, plan, load, waiting=len(SYMBOLS))
            elif vendor in {"fmp", "yahooquery"}:
                nightly = profile_requests(vendor, [len(shard.symbols) for shard in night])
                loaded = nightly + statement_requests(vendor, len(SYMBOLS))
            else:
                continue
            yield f"| `{vendor}` | `{name}` | {nightly:,} | {loaded:,} | {_told(duration(plan, loaded))} |"


def test_requests_of_each_plan_are_those_that_are_computed() -> None:
    lines = PAGE.read_text().splitlines()
    begin = lines.index(HEAD) + 2

    rows = list(_rows())

    assert lines[begin : begin + len(rows)] == rows, "\n".join(rows)


def test_night_of_a_bulk_vendor_is_ten_requests_at_most_on_every_plan() -> None:
    night = _shards(shift_session(LAST, -1))

    assert {bar_requests("massive", plan, night, waiting=0) for plan in PLANS["massive"].values()} == {4}


def test_failures_are_those_that_are_tried() -> None:
    lines = PAGE.read_text().splitlines()
    begin = lines.index(TROUBLES_HEAD) + 2

    rows = [trouble.row(what) for what, trouble in TROUBLES.items()]

    assert lines[begin : begin + len(rows)] == rows, "\n".join(rows)
    assert not lines[begin + len(rows)].startswith("|")
