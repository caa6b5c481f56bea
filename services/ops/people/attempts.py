"""How often somebody may try to sign in: a password is not found by trying."""

import time
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

PER_NAME: Final = RateLimitItemPerMinute(10, 15)
# Of an office with one address.
PER_ADDRESS: Final = RateLimitItemPerMinute(50, 15)


class TooManyAttempts(Exception):
    """Nobody may try for a while, whatever the password."""

    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__(f"too many attempts to sign in: try again in {wait_s // 60 + 1} minutes")


class Attempts:
    """Counts attempts in this process, by name and by address."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count(self, name: str, address: str) -> None:
        """Count an attempt.

        Raises
        ------
        TooManyAttempts
            If there have been as many of the name, or from the address, as there may.
        """
        counted: tuple[tuple[RateLimitItem, str, str], ...] = (
            (PER_NAME, "name", name),
            (PER_ADDRESS, "address", address),
        )
        for limit, kind, key in counted:
            if not self._limiter.hit(limit, kind, key):
                reset = self._limiter.get_window_stats(limit, kind, key).reset_time
                raise TooManyAttempts(max(1, round(reset - time.time())))
