"""The schedule: when each trigger is due, which session it asks for, and what becomes of times that were missed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from shared.calendar import is_session, last_closed_session

NEW_YORK = ZoneInfo("America/New_York")

_SOON = timedelta(microseconds=1)
# How far back the time before a due time is looked for, doubled until it is found.
_FIRST_LOOK, _LAST_LOOK = timedelta(days=1), timedelta(days=1024)


class Stage(StrEnum):
    """What a trigger asks for; also its name."""

    NIGHTLY = "nightly"
    SYMBOLS = "symbols"
    PORTFOLIOS = "portfolios"


class Outcome(StrEnum):
    """What came of a trigger."""

    REQUESTED = "requested"
    JOINED = "joined"
    WAITING = "waiting"
    NOTHING_TO_DO = "nothing to do"
    CLOSED_DAY = "closed day"
    COALESCED = "coalesced"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Asks for a stage at the times of a crontab, in the wall time of a zone.

    Raises
    ------
    ValueError
        If the crontab or the zone makes no sense, or the weekdays are numbers.
    """

    stage: Stage
    crontab: str
    zone: str
    _cron: CronTrigger = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cron", _cron_trigger(self.crontab, self.zone))

    @property
    def cron(self) -> CronTrigger:
        """What APScheduler wakes a process with."""
        return self._cron

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time after an instant, in UTC; None if there never is one again."""
        due: datetime | None = self._cron.get_next_fire_time(None, moment.astimezone(UTC) + _SOON)
        return None if due is None else due.astimezone(UTC)


def _cron_trigger(crontab: str, zone: str) -> CronTrigger:
    weekdays = crontab.split()[-1:]
    if any(character.isdigit() for character in "".join(weekdays)):
        # A crontab's week begins on Sunday, APScheduler's on Monday: 1-5 would be Tuesday to Saturday.
        raise ValueError(f"weekdays must be named, such as mon-fri, was {crontab!r}")
    try:
        return CronTrigger.from_crontab(crontab, timezone=ZoneInfo(zone))
    except KeyError as error:
        raise ValueError(f"zone must be one of the IANA database, was {zone!r}") from error


@dataclass(frozen=True, slots=True)
class Due:
    """A trigger at one of its times.

    Attributes
    ----------
    session : date
        The target session at that time.
    is_closed_day : bool
        No session has closed since the time before: there is nothing to ask for.
    """

    stage: Stage
    due_at: datetime
    session: date
    is_closed_day: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to become of a due time; without an outcome, it asks for its stage."""

    due: Due
    outcome: Outcome | None
    detail: str


def due_between(trigger: Trigger, after: datetime, until: datetime, *, settle_delay: timedelta) -> list[Due]:
    """Return the times of a trigger in (after, until], oldest first."""
    return [_due(trigger, moment, settle_delay) for moment in _moments(trigger, after, until)]


def next_due(triggers: Sequence[Trigger], after: datetime, count: int, *, settle_delay: timedelta) -> list[Due]:
    """Return the next times of all triggers together, soonest first."""
    upcoming: list[tuple[datetime, int, Trigger]] = []
    for place, trigger in enumerate(triggers):
        moment = trigger.next_after(after)
        while moment is not None and len([entry for entry in upcoming if entry[1] == place]) < count:
            upcoming.append((moment, place, trigger))
            moment = trigger.next_after(moment)
    return [_due(trigger, moment, settle_delay) for moment, _, trigger in sorted(upcoming, key=lambda e: e[:2])[:count]]


def plan(missed: Sequence[Due], *, paused: str | None) -> list[Planned]:
    """Return what is to become of the due times that nobody has answered, oldest first.

    Whatever their number, one asks: the newest with a session of its own. While paused (the reason) none does, and
    what was passed over is not made up for later.
    """
    asking = [due for due in missed if not due.is_closed_day]
    made_up_for = f"missed; made up for by {asking[-1].due_at:%Y-%m-%d %H:%M}Z" if asking else ""
    planned = []
    for due in missed:
        if due.is_closed_day:
            planned.append(Planned(due, Outcome.CLOSED_DAY, f"no session has closed since that of {due.session}"))
        elif paused is not None:
            planned.append(Planned(due, Outcome.PAUSED, paused))
        elif due is not asking[-1]:
            planned.append(Planned(due, Outcome.COALESCED, made_up_for))
        else:
            planned.append(Planned(due, None, ""))
    return planned


def is_closed_day(moment: datetime) -> bool:
    """Tell whether New York has no session on the date of an instant."""
    return not is_session(moment.astimezone(NEW_YORK).date())


def _due(trigger: Trigger, moment: datetime, settle_delay: timedelta) -> Due:
    session = last_closed_session(moment, settle_delay=settle_delay)
    before = _moment_before(trigger, moment)
    known = None if before is None else last_closed_session(before, settle_delay=settle_delay)
    return Due(trigger.stage, moment, session, is_closed_day=session == known)


def _moment_before(trigger: Trigger, moment: datetime) -> datetime | None:
    look = _FIRST_LOOK
    while look <= _LAST_LOOK:
        earlier = list(_moments(trigger, moment - look, moment - _SOON))
        if earlier:
            return earlier[-1]
        look *= 2
    return None


def _moments(trigger: Trigger, after: datetime, until: datetime) -> Iterator[datetime]:
    moment = trigger.next_after(after)
    while moment is not None and moment <= until:
        yield moment
        moment = trigger.next_after(moment)
