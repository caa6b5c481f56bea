"""A clock that is set by hand."""

from datetime import UTC, datetime


class SetClock:
    """Stands still until it is set: a month passes as fast as a test can go through it."""

    def __init__(self, instant: str) -> None:
        self.set(instant)

    def set(self, instant: str) -> None:
        """Set it to an ISO instant in UTC."""
        self._instant = datetime.fromisoformat(instant).replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Return the instant it was set to."""
        return self._instant
