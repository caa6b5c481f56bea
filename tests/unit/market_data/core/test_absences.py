from datetime import UTC, date, datetime, timedelta

import pytest

from services.market_data.core.absences import Absence, after_asking, lacking_bars
from services.market_data.core.attempts import Lacking, Outcome

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
NEWEST = date(2022, 12, 28)


def _asked_again(lacking: Lacking, times: int) -> list[timedelta | None]:
    waits: list[timedelta | None] = []
    known: Absence | None = None
    now = NOW
    for _ in range(times):
        known = after_asking(known, lacking, "404", now)
        waits.append(None if known.retry_at is None else known.retry_at - now)
        now = known.retry_at or now
    return waits


@pytest.mark.parametrize(
    ("lacking", "hours"),
    [
        (Lacking.UNKNOWN, [20, 40, 80, 160, 320, 640, 1280, 2560, None, None]),
        (Lacking.DELISTED, [168, 336, 672, 1344, None]),
        (Lacking.NOT_ENTITLED, [168, 336, 672, 1344, 1344, 1344]),
    ],
)
def test_each_wait_is_twice_as_long_until_nobody_asks_any_more(lacking: Lacking, hours: list[float | None]) -> None:
    wanted = [None if each is None else timedelta(hours=each) for each in hours]

    assert _asked_again(lacking, len(hours)) == wanted


def test_vendor_that_says_something_else_is_asked_again_as_at_first() -> None:
    before = Absence(Lacking.UNKNOWN, 5, NOW, None, "404")

    after = after_asking(before, Lacking.NOT_ENTITLED, "402", NOW + timedelta(days=1))

    assert (after.times, after.since) == (1, NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("retry_at", "waits"), [(None, True), (NOW + timedelta(seconds=1), True), (NOW, False), (NOW - timedelta(1), False)]
)
def test_vendor_is_asked_from_the_moment_that_was_said(retry_at: datetime | None, *, waits: bool) -> None:
    assert Absence(Lacking.UNKNOWN, 1, NOW, retry_at, "404").waits(NOW) is waits


def test_what_is_said_instead_of_asking_names_since_when_and_until_when() -> None:
    known = Absence(Lacking.UNKNOWN, 3, NOW, NOW + timedelta(days=3), "404: no such ticker")
    ended = Absence(Lacking.NOT_ENTITLED, 9, NOW, None, "402")

    attempts = known.attempt("tiingo"), ended.attempt("fmp")

    assert attempts[0].detail == (
        "unknown since 2026-11-27, asked for again from 2026-11-30 03:00 UTC (after 3): 404: no such ticker"
    )
    assert "not entitled since 2026-11-27, asked for no more (after 9)" in attempts[1].detail
    assert [each.outcome for each in attempts] == [Outcome.ABSENT, Outcome.NOT_ASKED]
    assert [each.lacking for each in attempts] == [None, None], "it was not said again"


@pytest.mark.parametrize(
    ("said", "last_bar", "means"),
    [
        (Lacking.UNKNOWN, None, Lacking.UNKNOWN),
        (Lacking.UNKNOWN, NEWEST, None),
        (Lacking.UNKNOWN, date(2022, 11, 29), None),  # 20 sessions before
        (Lacking.UNKNOWN, date(2022, 11, 28), Lacking.DELISTED),
        (Lacking.NOT_ENTITLED, NEWEST, Lacking.NOT_ENTITLED),
    ],
)
def test_vendor_that_gave_bars_of_late_may_only_be_late(
    said: Lacking, last_bar: date | None, means: Lacking | None
) -> None:
    assert lacking_bars(said, last_bar, NEWEST) is means
