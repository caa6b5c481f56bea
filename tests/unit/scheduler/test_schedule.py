import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from services.scheduler.core.schedule import (
    Due,
    Outcome,
    Stage,
    Trigger,
    due_between,
    is_closed_day,
    next_due,
    plan,
)
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.repository import scope_of
from services.scheduler.storage.schedule_repository import STAGE_SCOPES
from shared.clock import FixedClock, SessionClock
from tests.support.runs import make_run

HALF_AN_HOUR = timedelta(minutes=30)
SYMBOLS = Trigger(Stage.SYMBOLS, "0 21 * * mon-fri", "America/New_York")


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _due(trigger: Trigger, after: str, until: str) -> list[Due]:
    return due_between(trigger, _utc(after), _utc(until), settle_delay=HALF_AN_HOUR)


def _sessions(trigger: Trigger, after: str, until: str) -> list[tuple[str, str, bool]]:
    return [
        (f"{due.due_at:%m-%d %H:%M}", f"{due.session:%m-%d}", due.is_closed_day) for due in _due(trigger, after, until)
    ]


def test_nights_by_default_are_two_stages_in_new_york() -> None:
    triggers = SchedulerSettings().triggers()
    assert [(each.stage, each.crontab, each.zone) for each in triggers] == [
        (Stage.SYMBOLS, "0 21 * * mon-fri", "America/New_York"),
        (Stage.PORTFOLIOS, "30 21 * * mon-fri", "America/New_York"),
    ]


def test_nights_of_one_stage_are_at_half_past_eleven_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_V2_ENABLED", "false")
    (trigger,) = SchedulerSettings().triggers()
    assert (trigger.stage, trigger.crontab, trigger.zone) == (Stage.NIGHTLY, "30 23 * * mon-fri", "UTC")


def test_settings_of_the_schedule_are_read_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER_SYMBOLS_CRONTAB", "15 18 * * mon-sat")
    monkeypatch.setenv("SCHEDULER_ZONE", "Europe/London")
    monkeypatch.setenv("BATCH_PROCESSING_ENABLED", "false")
    settings = SchedulerSettings()
    assert settings.triggers()[0] == Trigger(Stage.SYMBOLS, "15 18 * * mon-sat", "Europe/London")
    assert not settings.batch_processing_enabled


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"symbols_crontab": "0 21 * * 1-5"}, "weekdays must be named"),
        ({"portfolios_crontab": "0 21 * *"}, "Wrong number of fields"),
        ({"nightly_crontab": "61 21 * * mon", "batch_v2_enabled": False}, "higher than the maximum"),
        ({"zone": "Mars/Olympus"}, "zone must be one of the IANA database"),
    ],
)
def test_schedule_that_makes_no_sense_is_refused_at_the_start(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        SchedulerSettings(**fields)


def test_night_in_new_york_is_an_hour_earlier_in_utc_in_summer() -> None:
    assert _sessions(SYMBOLS, "2022-03-11T00:00", "2022-03-16T00:00") == [
        ("03-11 02:00", "03-10", False),
        ("03-12 02:00", "03-11", False),
        ("03-15 01:00", "03-14", False),
    ]
    assert _sessions(SYMBOLS, "2022-11-04T00:00", "2022-11-09T00:00") == [
        ("11-04 01:00", "11-03", False),
        ("11-05 01:00", "11-04", False),
        ("11-08 02:00", "11-07", False),
    ]


def test_night_in_utc_stays_where_it_is_over_a_change_of_daylight_time() -> None:
    nightly = Trigger(Stage.NIGHTLY, "30 23 * * mon-fri", "UTC")
    assert _sessions(nightly, "2022-11-03T00:00", "2022-11-09T00:00") == [
        ("11-03 23:30", "11-03", False),
        ("11-04 23:30", "11-04", False),
        ("11-07 23:30", "11-07", False),
        ("11-08 23:30", "11-08", False),
    ]


def test_wall_time_that_does_not_exist_or_exists_twice_never_asks_for_a_session_twice() -> None:
    skipped = Trigger(Stage.SYMBOLS, "30 2 * * *", "America/New_York")
    assert _sessions(skipped, "2022-03-12T12:00", "2022-03-14T12:00") == [
        ("03-13 07:30", "03-11", True),
        ("03-14 06:30", "03-11", True),
    ]
    twice = Trigger(Stage.SYMBOLS, "30 1 * * *", "America/New_York")
    assert _sessions(twice, "2022-11-05T00:00", "2022-11-07T12:00") == [
        ("11-05 05:30", "11-04", False),
        ("11-06 05:30", "11-04", True),
        ("11-06 06:30", "11-04", True),
        ("11-07 06:30", "11-04", True),
    ]


def test_holiday_is_a_closed_day_and_an_early_close_is_none() -> None:
    assert _sessions(SYMBOLS, "2022-11-23T12:00", "2022-11-29T12:00") == [
        ("11-24 02:00", "11-23", False),
        ("11-25 02:00", "11-23", True),
        ("11-26 02:00", "11-25", False),
        ("11-29 02:00", "11-28", False),
    ]


@pytest.mark.parametrize(
    ("at", "session"),
    [
        ("0 14 * * *", date(2022, 11, 25)),  # closed at 13:00 that day
        ("29 13 * * *", date(2022, 11, 23)),
        ("30 13 * * *", date(2022, 11, 25)),
    ],
)
def test_session_counts_from_its_early_close_and_the_settle_delay(at: str, session: date) -> None:
    early = Trigger(Stage.SYMBOLS, at, "America/New_York")
    (due,) = _due(early, "2022-11-25T05:00", "2022-11-26T05:00")
    assert due.session == session


def test_trigger_in_the_morning_asks_for_the_evening_before_on_saturdays_too() -> None:
    morning = Trigger(Stage.SYMBOLS, "0 6 * * *", "America/New_York")
    assert _sessions(morning, "2022-11-18T00:00", "2022-11-22T00:00") == [
        ("11-18 11:00", "11-17", False),
        ("11-19 11:00", "11-18", False),
        ("11-20 11:00", "11-18", True),
        ("11-21 11:00", "11-18", True),
    ]


def test_next_times_of_all_triggers_come_in_their_order() -> None:
    coming = next_due(SchedulerSettings().triggers(), _utc("2022-11-23T12:00"), 5, settle_delay=HALF_AN_HOUR)
    assert [(due.stage.value, f"{due.due_at:%m-%d %H:%M}", due.is_closed_day) for due in coming] == [
        ("symbols", "11-24 02:00", False),
        ("portfolios", "11-24 02:30", False),
        ("symbols", "11-25 02:00", True),
        ("portfolios", "11-25 02:30", True),
        ("symbols", "11-26 02:00", False),
    ]


def test_trigger_that_is_never_due_again_has_no_next_time() -> None:
    never = Trigger(Stage.SYMBOLS, "0 21 30 feb *", "America/New_York")
    assert next_due([never], _utc("2022-11-23T12:00"), 5, settle_delay=HALF_AN_HOUR) == []


def test_time_that_was_answered_is_not_due_and_now_is() -> None:
    assert _sessions(SYMBOLS, "2022-11-23T02:00", "2022-11-24T02:00") == [("11-24 02:00", "11-23", False)]


def _outcomes(after: str, until: str, paused: str | None = None) -> list[Outcome | None]:
    return [planned.outcome for planned in plan(_due(SYMBOLS, after, until), paused=paused)]


def test_times_that_were_missed_are_made_up_for_by_the_newest() -> None:
    planned = plan(_due(SYMBOLS, "2022-11-14T12:00", "2022-11-18T12:00"), paused=None)
    assert [each.outcome for each in planned] == [Outcome.COALESCED, Outcome.COALESCED, Outcome.COALESCED, None]
    assert planned[0].detail == "missed; made up for by 2022-11-18 02:00Z"


def test_night_missed_before_a_holiday_is_made_up_for_on_it() -> None:
    assert _outcomes("2022-11-23T12:00", "2022-11-25T12:00") == [None, Outcome.CLOSED_DAY]


def test_closed_day_and_what_is_paused_ask_for_nothing() -> None:
    assert _outcomes("2022-11-24T12:00", "2022-11-25T12:00") == [Outcome.CLOSED_DAY]
    assert _outcomes("2022-11-22T12:00", "2022-11-26T12:00", "by me") == [
        *(Outcome.PAUSED, Outcome.PAUSED, Outcome.CLOSED_DAY, Outcome.PAUSED)
    ]
    assert _outcomes("2022-11-24T02:00", "2022-11-24T12:00") == []


def test_closed_day_is_told_by_the_date_in_new_york() -> None:
    assert is_closed_day(_utc("2022-11-25T02:00"))
    assert not is_closed_day(_utc("2022-11-26T02:00"))
    assert is_closed_day(_utc("2022-11-26T06:00"))


def test_all_and_none_are_different_scopes() -> None:
    every = {Stage.NIGHTLY: {}, Stage.SYMBOLS: {"portfolio_ids": ()}, Stage.PORTFOLIOS: {"symbols": ()}}
    assert {stage: scope_of(make_run(**fields)) for stage, fields in every.items()} == STAGE_SCOPES
    scopes = {scope_of(make_run(symbols=symbols, portfolio_ids=ids)) for symbols in (None, (), ("A",))
              for ids in (None, (), (uuid4(),))}  # fmt: skip
    assert len(scopes) == 9


@pytest.mark.parametrize("here", ["Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_zone_of_the_machine_changes_neither_times_nor_sessions(monkeypatch: pytest.MonkeyPatch, here: str) -> None:
    def told() -> list[object]:
        moments = [_utc("2025-03-07 20:30") + timedelta(hours=hours) for hours in range(96)]
        sessions = [SessionClock(FixedClock(moment), HALF_AN_HOUR).last_closed_session() for moment in moments]
        return [_due(SYMBOLS, "2025-03-06 00:00", "2025-03-12 00:00"), sessions, [*map(is_closed_day, moments)]]

    there = told()
    try:
        with monkeypatch.context() as context:
            context.setenv("TZ", here)
            time.tzset()
            assert told() == there
    finally:
        time.tzset()
