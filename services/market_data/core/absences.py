"""What vendors are known not to have: asked for again after ever longer waits, and in the end no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

from services.market_data.core.attempts import Attempt, Lacking, Outcome
from shared.calendar import shift_session
from shared.conventions import SILENT_SESSIONS


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a vendor is not asked again: twice as long each time, `times` in all; then for ever, where it ends."""

    first: timedelta
    times: int
    ends: bool

    def after(self, times: int) -> timedelta | None:
        """Return the wait after a symbol was asked for so many times in vain, None where nobody asks any more."""
        if times > self.times and self.ends:
            return None
        doubled: timedelta = self.first * 2 ** (min(times, self.times) - 1)
        return doubled


# A listing may come in the next days, and is asked for in the next night, which may begin earlier than this one.
WAITS: Final[Mapping[Lacking, Waits]] = MappingProxyType(
    {
        Lacking.UNKNOWN: Waits(timedelta(hours=20), 8, ends=True),
        Lacking.DELISTED: Waits(timedelta(days=7), 4, ends=True),
        Lacking.NOT_ENTITLED: Waits(timedelta(days=7), 4, ends=False),
    }
)


@dataclass(frozen=True, slots=True)
class Absence:
    """What a vendor has said of a symbol that it does not have.

    Parameters
    ----------
    lacking : Lacking
    times : int
        How often it has said so.
    since : datetime
        When it said so first.
    retry_at : datetime or None
        When it is asked again; None: not before somebody wants it.
    detail : str
        What it said at the last time.
    """

    lacking: Lacking
    times: int
    since: datetime
    retry_at: datetime | None
    detail: str

    def waits(self, now: datetime) -> bool:
        """Tell whether the vendor is not asked at that time."""
        return self.retry_at is None or now < self.retry_at

    def attempt(self, provider: str) -> Attempt:
        """Return what is said instead of asking: what the plan does not have is not settled by it."""
        again = "no more" if self.retry_at is None else f"again from {self.retry_at:%Y-%m-%d %H:%M} UTC"
        said = f"{self.lacking} since {self.since:%Y-%m-%d}, asked for {again} (after {self.times}): {self.detail}"
        outcome = Outcome.NOT_ASKED if self.lacking is Lacking.NOT_ENTITLED else Outcome.ABSENT
        return Attempt(provider, said, outcome)


def after_asking(before: Absence | None, lacking: Lacking, detail: str, now: datetime) -> Absence:
    """Return what is known once a vendor has said again that it does not have a symbol."""
    times, since = (0, now) if before is None or before.lacking is not lacking else (before.times, before.since)
    wait = WAITS[lacking].after(times + 1)
    return Absence(lacking, times + 1, since, None if wait is None else now + wait, detail)


def lacking_bars(said: Lacking, last_bar: date | None, newest: date) -> Lacking | None:
    """Return what it means that a vendor has no bars up to the newest session; None: it may only be late.

    Parameters
    ----------
    said : Lacking
        By the vendor.
    last_bar : date or None
        The last one that is stored.
    newest : date
    """
    if said is not Lacking.UNKNOWN or last_bar is None:
        return said
    return Lacking.DELISTED if last_bar < shift_session(newest, -SILENT_SESSIONS) else None
