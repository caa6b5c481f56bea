"""Who signs in and out, told to the audit: as often as people do, and no oftener, whoever tries."""

from collections import Counter
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final

import httpx
import structlog
from limits import RateLimitItem, RateLimitItemPerHour
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import HTTPConnection

from shared.clock import Clock
from shared.paths import API
from shared.principal import Principal
from shared.sign_ins import NO_ROLE, NOBODY, ROUTE, SignIn, Statements, Told

log = structlog.get_logger("sign-in")

# Of all who are refused together, and of each of those who are not: rows of the audit are kept for ever.
AN_HOUR: Final[RateLimitItem] = RateLimitItemPerHour(60)
# Somebody waits for the page behind it.
_WITHIN_S: Final = 2.0
_REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True)
class Telling:
    """Tells the service that keeps it, at the platform of the pages that were asked."""

    statements: Statements
    clock: Clock
    _limiter: MovingWindowRateLimiter = field(default_factory=lambda: MovingWindowRateLimiter(MemoryStorage()))
    _untold: Counter[str] = field(default_factory=Counter)
    _counting: Lock = field(default_factory=Lock)

    def done(self, what: SignIn, person: Principal, asked: HTTPConnection) -> None:
        """Tell what somebody did who has shown who they are, or what became of their session."""
        told = Told(what, person.name, person.role.name.lower(), address_of(asked))
        self._tell(f"{what} {person.name}", told, asked)

    def refused(self, why: str, asked: HTTPConnection, *, name: str | None = None) -> None:
        """Tell that somebody was not let in; `name` is that of somebody whom there is, or None."""
        told = Told(SignIn.IN, name or NOBODY, NO_ROLE, address_of(asked), f"refused: {why}")
        self._tell(_REFUSED, told, asked)

    def _tell(self, kind: str, told: Told, asked: HTTPConnection) -> None:
        with self._counting:
            if not self._limiter.hit(AN_HOUR, kind):
                self._untold[kind] += 1
                return
            untold = self._untold.pop(kind, 0)
        if untold:
            told = replace(told, outcome=f"{told.outcome}; {untold} before it are not noted")
        platform: httpx.Client = asked.app.state.platform
        said = {"statement": self.statements.make(told, at=self.clock.now())}
        try:
            platform.post(f"{API}{ROUTE}", json=said, timeout=_WITHIN_S).raise_for_status()
        except httpx.HTTPError as error:
            # The pages are where somebody looks for what is wrong with the platform: nobody is kept from them.
            log.warning("a sign-in is not noted", what=told.what, name=told.name, error=type(error).__name__)


def address_of(asked: HTTPConnection) -> str:
    """Return where a request comes from, as far as a proxy may say it."""
    return asked.client.host if asked.client else ""
