"""Breakers: a vendor that fails is not asked for a while, then tried once, then asked again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

FAILURES_TO_OPEN: Final = 3  # in a row, each of them after its repetitions
FIRST_PAUSE: Final = timedelta(minutes=1)  # twice as long with each further failure
LONGEST_PAUSE: Final = timedelta(hours=1)
LONGEST_TOLD: Final = timedelta(days=1)
PROBE: Final = timedelta(minutes=3)  # how long whoever tries it may take


class State(StrEnum):
    """Whether a vendor is asked for a kind."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"  # the next one to ask tries it


@dataclass(frozen=True, slots=True)
class Failure:
    """How a vendor failed.

    Parameters
    ----------
    why : str
    lasting : bool
        It would fail again: a key that is none, a spent allowance.
    again_after : timedelta or None
        When it says to ask again.
    answered : bool
        It was answered, and that could not be read: another way of asking the same servers may be.
    """

    why: str
    lasting: bool = False
    again_after: timedelta | None = None
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Breaker:
    """How often in a row a vendor has failed on a kind, why, and until when it is not asked; None: it is.

    `answered`: it was answered at the last time.
    """

    failures: int
    why: str
    open_until: datetime | None = None
    answered: bool = False

    def state(self, now: datetime) -> State:
        """Return whether the vendor is asked."""
        if self.open_until is None:
            return State.CLOSED
        return State.OPEN if now < self.open_until else State.HALF_OPEN


def after_failure(before: Breaker | None, failure: Failure, now: datetime) -> Breaker:
    """Return the breaker once the vendor has failed again.

    It opens with the third failure in a row, with one that would last, and with the one that tried whether it is over;
    for as long as the vendor says, else a minute and twice as long with each further failure, an hour where it would
    last.
    """
    failures = 1 if before is None else before.failures + 1
    if not failure.lasting and failures < FAILURES_TO_OPEN:
        return Breaker(failures, failure.why, answered=failure.answered)
    doubled = FIRST_PAUSE * 2 ** min(max(failures - FAILURES_TO_OPEN, 0), 6)
    pause = LONGEST_PAUSE if failure.lasting else min(doubled, LONGEST_PAUSE)
    if failure.again_after is not None:
        pause = min(max(failure.again_after, timedelta(seconds=1)), LONGEST_TOLD)
    return Breaker(failures, failure.why, now + pause, failure.answered)
