"""The one place that reads the time of day."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from shared.calendar import SETTLE_DELAY, last_closed_session


class Clock(Protocol):
    """Tells the time in UTC."""

    def now(self) -> datetime:
        """Return the current instant, zone-aware, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current instant, zone-aware, UTC."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still: replays the past for demos, benchmarks and tests."""

    def __init__(self, instant: datetime) -> None:
        if instant.tzinfo is None:
            raise ValueError(f"instant must be zone-aware, was {instant!r}")
        self._instant = instant.astimezone(UTC)

    def now(self) -> datetime:
        """Return the instant given at construction."""
        return self._instant


@dataclass(frozen=True, slots=True)
class SessionClock:
    """A clock by which everybody has the same target session (methodology, 1.3)."""

    clock: Clock
    settle_delay: timedelta = SETTLE_DELAY

    def now(self) -> datetime:
        """Return the current instant, zone-aware, UTC."""
        return self.clock.now()

    def last_closed_session(self) -> date:
        """Return the last session whose close and settle delay have passed."""
        return last_closed_session(self.now(), settle_delay=self.settle_delay)
