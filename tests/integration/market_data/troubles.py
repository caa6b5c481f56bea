"""The ways in which a vendor fails, and what a run, `why` and `status` say then: docs/providers.md shows them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from werkzeug import Response

from services.market_data.core.plans import Spent
from services.market_data.providers.massive import MassiveProvider
from services.market_data.providers.tiingo import TiingoProvider
from services.market_data.settings import Access
from tests.integration.market_data.conftest import NOW

KEY = "canary-51ce"
NOTHING = Response("", 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """How a vendor fails, and what is said.

    Parameters
    ----------
    said : str
        In the failure of the run and in what `why` shows.
    until : str or None
        The time of the day from which `status` says that the vendor is asked again, None: nothing, it is asked.
    answered : Response
        What the vendor sends.
    outcome : str
        Of the attempt.
    reached : callable
        How the vendor is reached, from how it would be.
    vendor : type
        Whose provider asks.
    whole_s : float or None
        How long it waits, where that is not as long as usual.
    before : bool
        Whether it has failed in a run before.
    """

    said: str
    until: str | None
    answered: Response = NOTHING
    outcome: str = "failed"
    reached: Callable[[Access], Access] = lambda access: access
    vendor: type[MassiveProvider | TiingoProvider] = TiingoProvider
    whole_s: float | None = None
    before: bool = False

    def row(self, what: str) -> str:
        """Return the row of the page."""
        return f"| {what} | {self.outcome}: `{self.said}` | {self._status()} |"

    def _status(self) -> str:
        if self.outcome == "absent":
            return "nothing: of this symbol it is asked again after 20 hours"
        if self.until is None:
            return "nothing: the next run asks"
        until = datetime.fromisoformat(f"{NOW.date()}T{self.until}+00:00")
        return f"not asked for {(until - NOW).seconds // 60} minutes, and why"


def _spent(access: Access) -> Access:
    async def take() -> Spent:
        return Spent(3_600.0)

    return replace(access, take=take)


def _nobody(access: Access) -> Access:
    return replace(access, url="http://127.0.0.1:9")


def _with_a_certificate(access: Access) -> Access:
    return replace(access, url=access.url.replace("http:", "https:"))


REFUSED: Final = Response('{"detail": "Invalid token."}', 401)
CAPTCHA: Final = Response("<!doctype html><title>Are you a robot?</title>")
HOURLY: Final = '{"detail": "Error: You have run over your hourly request allocation."}'
MONTHLY: Final = "You have run over your 500 symbol look up for this month."
LATER: Final = Response("", 429, {"Retry-After": "1200"})
ELSEWHERE: Final = Response("", 302, {"Location": "https://x.example/?k=1"})
NO_RESULTS: Final = Response('{"status": "OK", "resultsCount": 0}', 200, content_type="application/json")

TROUBLES: Final[Mapping[str, Trouble]] = {
    "nobody there": Trouble(reached=_nobody, said="ConnectError: ", until=None),
    "no answer in time": Trouble(whole_s=0.0, said="no answer in time (TimeoutError)", until=None),
    "no certificate": Trouble(reached=_with_a_certificate, said="ConnectError: [SSL", until=None),
    "a redirect": Trouble(answered=ELSEWHERE, said="led to x.example, which is not followed", until="04:00:00"),
    "401": Trouble(answered=REFUSED, said="401: Invalid token.", until="04:00:00"),
    "402 in plain text": Trouble(
        answered=Response("Restricted Endpoint: not under your plan", 402),
        said="402: Restricted Endpoint",
        until="04:00:00",
    ),
    "403": Trouble(
        answered=Response('{"message": "You are not entitled"}', 403),
        said="403: You are not entitled",
        until="04:00:00",
    ),
    "429 in plain text": Trouble(
        answered=Response("Edge: Too Many Requests", 429),
        said="rate limited: Edge: Too Many Requests",
        until="04:00:00",
    ),
    "429 with `Retry-After`": Trouble(answered=LATER, said="to be asked again after 1200 s", until="03:20:00"),
    "spent, under 200": Trouble(
        answered=Response(HOURLY), said="rate limited: Error: You have run over", until="04:00:00"
    ),
    "spent for new symbols, under 200": Trouble(
        answered=Response(MONTHLY), said="You have run over your 500 symbol", until=None
    ),
    "spent by our own count": Trouble(reached=_spent, said="what the plan allows is spent", until="04:00:00"),
    "a captcha under 200": Trouble(
        answered=CAPTCHA, said="200 with a page for people where data was due", until="04:00:00"
    ),
    "502": Trouble(answered=Response("bad gateway", 502), said="502: bad gateway", until=None),
    "an answer broken off": Trouble(answered=Response('[{"close": 1.0}, {"clo'), said="no JSON but", until=None),
    "an object for a list": Trouble(answered=Response('{"prices": []}'), said="no list of rows but dict", until=None),
    "an empty list": Trouble(answered=Response("[]"), outcome="absent", said="not in tiingo", until=None),
    "no `results`": Trouble(
        answered=NO_RESULTS, vendor=MassiveProvider, outcome="absent", said="not in massive", until=None
    ),
    "anything, after it has failed so": Trouble(
        answered=REFUSED, before=True, outcome="not asked", said="not asked until 2022-12-29 04:00", until="04:00:00"
    ),
}
