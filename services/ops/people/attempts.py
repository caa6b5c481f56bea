"""How often somebody may try to sign in: a password is not found by trying, and nobody is locked out by others."""

import ipaddress
import time
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

PER_NAME_FROM_NETWORK: Final = RateLimitItemPerMinute(10, 15)
# From wherever: whoever tries from a thousand places locks a name out only then.
PER_NAME: Final = RateLimitItemPerMinute(100, 15)
# Of an office with one address.
PER_NETWORK: Final = RateLimitItemPerMinute(50, 15)
# Beyond so many names and networks, those are forgotten of which no attempt counts any more.
_SWEPT_BEYOND: Final = 1_000
_Limit = tuple[RateLimitItem, str, str]


class TooManyAttempts(Exception):
    """Nobody may try for a while, whatever the password."""

    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__(f"too many attempts to sign in: try again in {wait_s // 60 + 1} minutes")


class Attempts:
    """Counts attempts that failed in this process, by network and by name."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._swept_beyond = _SWEPT_BEYOND

    def check(self, name: str, address: str) -> None:
        """Return if somebody may try from an address.

        Raises
        ------
        TooManyAttempts
            If as many have failed from there, or of the name, as may.
        """
        for limit in _limits(name, address):
            if not self._limiter.test(*limit):
                reset = self._limiter.get_window_stats(*limit).reset_time
                raise TooManyAttempts(max(1, round(reset - time.time())))

    def count_failure(self, name: str, address: str) -> None:
        """Count an attempt that failed."""
        for limit in _limits(name, address):
            self._limiter.hit(*limit)
        if len(self._storage.events) > self._swept_beyond:
            self._sweep()

    def _sweep(self) -> None:
        now, kept = time.time(), self._storage.events
        for key in [key for key, events in list(kept.items()) if all(each.expiry <= now for each in events)]:
            self._storage.clear(key)
        self._swept_beyond = max(_SWEPT_BEYOND, 2 * len(kept))


def _limits(name: str, address: str) -> tuple[_Limit, ...]:
    # Names that nobody has are counted too: else it would show which there are.
    network = _network(address)
    return (
        (PER_NETWORK, "network", network),
        (PER_NAME_FROM_NETWORK, "name from network", f"{name} {network}"),
        (PER_NAME, "name", name),
    )


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    # Who has one address of version 6 has all of its network.
    return (
        address if parsed.version == 4 else str(ipaddress.ip_network(f"{address.partition('%')[0]}/64", strict=False))
    )
