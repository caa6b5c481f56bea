"""Places where a process can be made to die, for the tests of what it leaves behind; without a named one: nothing."""

import os
import signal
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, Self

VARIABLE: Final = "SIGMASIGHT_FAILPOINT"


class Place(StrEnum):
    """Between which two steps of handling or publishing a message it is."""

    RECEIVED = "received"
    SEEN = "seen"  # the inbox has it
    HANDLED = "handled"  # nothing is announced
    WRITTEN = "written"  # everything is, at least one event, and not committed
    COMMITTED = "committed"  # and not acknowledged
    TAKEN = "taken"  # from the outbox, and not sent
    SENT = "sent"  # and not marked


@dataclass(slots=True)
class Failpoint:
    """Where a service dies, and how many times it gets there alive."""

    place: Place
    service: str
    spared: int = 0

    @classmethod
    def named(cls, text: str) -> Self:
        """Return that of ``place@service`` or ``place@service:spared``."""
        place, _, rest = text.partition("@")
        service, _, spared = rest.partition(":")
        return cls(Place(place), service, int(spared or 0))

    def __str__(self) -> str:
        return f"{self.place}@{self.service}:{self.spared}"

    def reached(self, place: Place, service: str) -> None:
        """Die, as of a power cut, if this is the place and nothing is spared any more."""
        if (place, service) != (self.place, self.service):
            return
        if self.spared == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.spared -= 1


@cache
def _armed() -> Failpoint | None:
    # Asked when it is first needed, not when this is loaded: a process may be forked from one that has loaded it.
    named = os.environ.get(VARIABLE)  # noqa: TID251 - no setting: nobody but a test says it
    return Failpoint.named(named) if named else None


def failpoint(place: Place, service: str) -> None:
    """Die here if a test has said so."""
    armed = _armed()
    if armed is not None:
        armed.reached(place, service)
