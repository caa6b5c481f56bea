"""The one trading calendar (XNYS): sessions, official closes and the target session (methodology, 1.3)."""

from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from shared.arrays import DateArray, IntArray

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

FIRST_SESSION = date(1988, 1, 4)
SETTLE_DELAY = timedelta(minutes=30)


@cache
def _calendar() -> "ExchangeCalendar":
    # It brings pandas: imported above, every command would begin with half a second of that, and most look at no day.
    from exchange_calendars import get_calendar  # noqa: PLC0415

    return get_calendar("XNYS", start=FIRST_SESSION.isoformat())


@cache
def all_sessions() -> DateArray:
    """Return every known session, ascending, as ``datetime64[D]``."""
    sessions: DateArray = _calendar().sessions.to_numpy().astype("datetime64[D]")
    return sessions


def session_ordinals(days: DateArray | list[date]) -> IntArray:
    """Return the position of each day in `all_sessions`, -1 for a day that is no session.

    Parameters
    ----------
    days : array of ``datetime64[D]`` or list of date, shape (n_days,)

    Returns
    -------
    ndarray of int64, shape (n_days,)
    """
    wanted = np.asarray(days, dtype="datetime64[D]")
    known = all_sessions()
    position = np.searchsorted(known, wanted)
    inside = position < len(known)
    matches = np.zeros(wanted.shape, dtype=bool)
    matches[inside] = known[position[inside]] == wanted[inside]
    return np.where(matches, position, -1).astype(np.int64)


def is_session(day: date) -> bool:
    """Tell whether the exchange is open on that day."""
    return bool(session_ordinals([day])[0] >= 0)


def has_session(first: date, last: date) -> bool:
    """Tell whether there is a session in [first, last]."""
    known = all_sessions()
    following = np.searchsorted(known, np.datetime64(first, "D"), side="left")
    return bool(following < np.searchsorted(known, np.datetime64(last, "D"), side="right"))


def sessions_between(first: date, last: date) -> list[date]:
    """Return the sessions in [first, last], ascending."""
    known = all_sessions()
    start = np.searchsorted(known, np.datetime64(first, "D"), side="left")
    stop = np.searchsorted(known, np.datetime64(last, "D"), side="right")
    days: list[date] = known[start:stop].tolist()
    return days


def consecutive_sessions(sessions: Sequence[date]) -> list[tuple[date, date]]:
    """Return the first and the last of each stretch of sessions that follow one another.

    Parameters
    ----------
    sessions : sequence of date
        Distinct sessions, ascending.

    Examples
    --------
    >>> [tuple(map(str, ends)) for ends in consecutive_sessions(sessions_between(date(2025, 3, 13), date(2025, 3, 17)))]
    [('2025-03-13', '2025-03-17')]
    """
    if not sessions:
        return []
    ordinals = session_ordinals(list(sessions))
    breaks = np.flatnonzero(np.diff(ordinals) != 1)
    starts, ends = [0, *(breaks + 1).tolist()], [*breaks.tolist(), len(sessions) - 1]
    return [(sessions[start], sessions[end]) for start, end in zip(starts, ends, strict=True)]


def session_on_or_before(day: date) -> date:
    """Return the last session that is not after `day`."""
    return shift_session(day, 0)


def session_on_or_after(day: date) -> date:
    """Return the first session that is not before `day`."""
    return shift_session(day - timedelta(days=1), 1)


def shift_session(day: date, sessions: int) -> date:
    """Return the session that lies `sessions` after the last session on or before `day`.

    Raises
    ------
    ValueError
        If the calendar does not reach that far.
    """
    known = all_sessions()
    position = int(np.searchsorted(known, np.datetime64(day, "D"), side="right")) - 1 + sessions
    if not 0 <= position < len(known):
        raise ValueError(f"session must lie between {known[0]} and {known[-1]}, was {day} {sessions:+d} sessions")
    shifted: date = known[position].tolist()
    return shifted


def next_session(day: date) -> date:
    """Return the first session after `day`."""
    return shift_session(day, 1)


def week_of(day: date) -> list[date]:
    """Return the days from Monday to Friday of the week of a day, sessions or not."""
    monday = day - timedelta(days=day.weekday())
    return [monday + timedelta(days=place) for place in range(5)]


def close_at(session: date) -> datetime:
    """Return the official close of a session in UTC, early closes included."""
    closes: datetime = _calendar().session_close(session.isoformat()).to_pydatetime()
    return closes.astimezone(UTC)


def last_closed_session(now: datetime, *, settle_delay: timedelta) -> date:
    """Return the target session: the last one whose close plus the settle delay has passed.

    Parameters
    ----------
    now : datetime
        Zone-aware instant.
    settle_delay : timedelta
        How long after the official close the day's bars are taken as settled.
    """
    candidate = session_on_or_before(now.astimezone(UTC).date())
    if close_at(candidate) + settle_delay > now:
        return shift_session(candidate, -1)
    return candidate


def months_before(day: date, months: int) -> date:
    """Return the same day of the month so many calendar months earlier, or that month's last day.

    Examples
    --------
    >>> months_before(date(2024, 3, 31), 1)
    datetime.date(2024, 2, 29)
    """
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
