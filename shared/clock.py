"""The one place that reads the time of day."""

from datetime import UTC, datetime
from typing import Protocol


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
