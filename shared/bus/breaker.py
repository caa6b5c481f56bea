"""The circuit breaker of a topic: when most of its messages fail on our side, the fault is not theirs."""

from collections import deque
from dataclasses import dataclass, field

from shared.clock import SystemClock
from shared.errors import TransientError


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a consumer stops to set messages aside, and how often it tries again.

    Attributes
    ----------
    failures, among : int
        So many failures of ours among the last messages of a topic open the breaker. What can't be decoded, and what
        says of itself that it can't be processed, is no failure of ours.
    first_break_s, longest_break_s : float
        How long it pauses before it tries the same message again; each break is twice the one before. Kafka hands the
        partitions of a consumer that pauses for too long to another one (`shared.bus.consume`).
    tries : int
        After so many the process ends, so that its supervisor starts it anew.
    """

    failures: int = 25
    among: int = 50
    first_break_s: float = 10.0
    longest_break_s: float = 160.0
    tries: int = 6


class BreakerOpen(TransientError):
    """The message stays where it is: setting more of them aside helps nobody."""

    def __init__(self, trouble: str, *, break_s: float) -> None:
        super().__init__(trouble)
        self.break_s = break_s


@dataclass(slots=True)
class Breaker:
    """What became of the last messages of one topic in one consumer."""

    topic: str
    policy: BreakerPolicy
    trouble: str | None = None
    _failed: deque[bool] = field(init=False)
    _tries: int = 0

    def __post_init__(self) -> None:
        self._failed = deque(maxlen=self.policy.among)

    @property
    def has_given_up(self) -> bool:
        """Whether trying again in this process is pointless."""
        return self._tries > self.policy.tries

    def passed(self) -> None:
        """Note that a message was processed: whatever was wrong is over."""
        if self.trouble is not None:
            self.trouble, self._tries = None, 0
            self._failed.clear()
        self._failed.append(False)

    def failed(self) -> None:
        """Note that a message was set aside for a failure of ours."""
        self._failed.append(True)

    def check(self, error: BaseException) -> None:
        """Refuse to set one more aside when too many were.

        Raises
        ------
        BreakerOpen
            With how long to pause.
        """
        failures = sum(self._failed)
        if failures < self.policy.failures:
            return
        since = f"{SystemClock().now():%Y-%m-%d %H:%M:%S} UTC"
        self.trouble = self.trouble or (
            f"pauses since {since}: {failures} of the last {len(self._failed)} messages of {self.topic} failed, "
            f"then {error!r:.300}"
        )
        self._tries += 1
        longest = self.policy.longest_break_s
        raise BreakerOpen(self.trouble, break_s=min(longest, self.policy.first_break_s * 2.0 ** (self._tries - 1)))
