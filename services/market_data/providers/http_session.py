"""How a vendor is asked over HTTP: one session, bounded in time, size and rate, and whatever goes wrong has a type."""

import asyncio
import json
import math
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import stamina
from aiolimiter import AsyncLimiter

from services.market_data.core.plans import PACED_S, Window
from services.market_data.providers.vendor_errors import (
    Blocked,
    KeyRefused,
    Malformed,
    NotEntitled,
    NotFound,
    OutOfOrder,
    RateLimited,
    Redirected,
    Reserved,
    Unreachable,
    VendorError,
)
from services.market_data.settings import LOOPBACK, Access

CONNECT_S: Final = 5.0
READ_S: Final = 20.0
WHOLE_S: Final = 45.0
MAX_BODY_BYTES: Final = 32 * 1024 * 1024  # the whole market's bars of a day are some 2 MB
ATTEMPTS: Final = 3
LONGEST_PAUSE_S: Final = 30.0  # whoever says that it takes longer is not waited for
QUOTED: Final = 160
# Where vendors say what is wrong.
_SAYINGS: Final = ("error", "message", "detail", "Error Message", "error_message")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor answered, decoded, and when it says it did."""

    body: Any
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came."""

    status: int
    text: str
    headers: httpx.Headers = field(default_factory=httpx.Headers)


Refusal = Callable[[Received, str], Exception | None]  # the answer, what is said in it


def no_refusal(_: Received, __: str) -> None:
    """Find nothing else wrong than what the status says."""


@cache
def _trusted(*, trust_env: bool) -> ssl.SSLContext:
    """Return whose certificates are trusted; reading them takes longer than an answer, and they are those of all."""
    return httpx.create_ssl_context(trust_env=trust_env)


class HttpSession:
    """A session of one vendor.

    Parameters
    ----------
    access : Access
    headers : mapping
        What carries the key: never a URL, which is logged in many places.
    refusal : callable
        What the vendor says in a way of its own, asked before the status.
    query : mapping
        What carries the key of a vendor that reads no header: the client's own log of URLs is silent (`telemetry.py`).
    """

    def __init__(
        self,
        access: Access,
        headers: Mapping[str, str],
        refusal: Refusal = no_refusal,
        *,
        query: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.patience_s = access.patience_s
        self._key = access.key
        self._take = access.take
        self._refusal = refusal
        self._query = query
        self._paces = [pace_of(window) for window in access.plan.windows if window.seconds <= PACED_S]
        # A proxy of the environment doesn't lead to this machine's own ports.
        trust_env = urlsplit(access.url).hostname not in LOOPBACK
        self._client = httpx.AsyncClient(
            base_url=access.url,
            headers={"Accept": "application/json", **headers},
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
            follow_redirects=False,
            verify=_trusted(trust_env=trust_env),
            trust_env=trust_env,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def get(self, path: str, **query: str | int) -> Answer:
        """Return what the vendor answers, asked again where that may help.

        Raises
        ------
        VendorError
            If there is no answer, or one that says nothing.
        NotFound
            If the vendor says that it does not know what was asked for.
        """
        async for attempt in stamina.retry_context(on=_pause, attempts=ATTEMPTS, timeout=None):
            with attempt:
                return await self._ask(path, query)
        raise AssertionError("unreachable")

    async def visit(self, url: str) -> Received:
        """Return what a page answers under whatever status: it is about the cookies that come with it, or a text.

        Raises
        ------
        VendorError
            If there is no answer, or one that says not to ask.
        """
        received = await self._receive(url, {})
        if received.status == 429:
            raise RateLimited(self._quoted(_said(received.text)), retry_after(received.headers))
        return received

    async def _ask(self, path: str, query: Mapping[str, str | int]) -> Answer:
        return self._read(await self._receive(path, query))

    async def _receive(self, path: str, query: Mapping[str, str | int]) -> Received:
        await self._wait_for_a_turn()
        params = {**query, **self._query}
        try:
            async with asyncio.timeout(WHOLE_S), self._client.stream("GET", path, params=params) as response:
                text = (await _bounded(response)).decode(errors="replace")
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Unreachable(f"no answer in time ({type(error).__name__})") from None
        except httpx.DecodingError:
            raise Malformed("an answer that cannot be unpacked") from None
        except httpx.HTTPError as error:
            raise Unreachable(self._quoted(f"{type(error).__name__}: {error}")) from None
        return Received(response.status_code, text, response.headers)

    async def _wait_for_a_turn(self) -> None:
        for pace in self._paces:
            await pace.acquire()
        while (spent := await self._take()) is not None:
            if spent.reserved:
                raise Reserved(
                    f"what the plan allows backfills is spent for {spent.seconds:g} s, the rest is for today"
                )
            # Others have asked within this window, too.
            if spent.seconds > PACED_S:
                raise RateLimited("what the plan allows is spent", spent.seconds)
            await asyncio.sleep(spent.seconds)

    def _read(self, received: Received) -> Answer:
        said = self._quoted(_said(received.text))
        wrong = self._refusal(received, said) or _wrong(received, said)
        if wrong is not None:
            raise wrong
        try:
            return Answer(json.loads(received.text), _date(received.headers.get("date")))
        except (ValueError, RecursionError):
            raise Malformed(f"no JSON but {said!r}") from None

    def _quoted(self, text: str) -> str:
        key = self._key.get_secret_value()
        without = text.replace(key, "***") if key else text
        return " ".join("".join(c if c.isprintable() else " " for c in without).split())[:QUOTED]


def pace_of(window: Window) -> AsyncLimiter:
    """Return what spreads the requests of a window evenly over it."""
    # A bucket of many would let out twice as many within the first window.
    return AsyncLimiter(1, window.seconds / window.requests)


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise Malformed(f"an answer of more than {MAX_BODY_BYTES:,} bytes")
    return bytes(body)


def _pause(error: Exception) -> bool | timedelta:
    # What may be over in a moment is asked again, and a spent allowance when the vendor says, if that is soon.
    if isinstance(error, RateLimited):
        soon = error.retry_after_s is not None and error.retry_after_s <= LONGEST_PAUSE_S
        return soon and timedelta(seconds=error.retry_after_s or 0.0)
    return isinstance(error, Unreachable | OutOfOrder | Malformed)


def _wrong(received: Received, said: str) -> Exception | None:
    status = received.status
    if 300 <= status < 400:
        host = urlsplit(received.headers.get("location", "")).hostname
        return Redirected(f"led to {host}, which is not followed")
    if status == 429:
        return RateLimited(said, retry_after(received.headers))
    if received.text.lstrip()[:1] == "<" and status < 500:
        return Blocked(f"{status} with a page for people where data was due: {said}")
    if status == 404:
        return NotFound(said)
    if status == 200:
        return None
    refused: dict[int, type[VendorError]] = {401: KeyRefused, 402: NotEntitled, 403: NotEntitled}
    return refused.get(status, OutOfOrder if status >= 500 else Malformed)(f"{status}: {said}")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return after how many seconds to ask again, where an answer says, in seconds or as a time by its own clock."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        then, now = _date(text), _date(headers.get("date"))
        return None if then is None or now is None else max(0.0, (then - now).total_seconds())
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _said(text: str) -> str:
    # The head of an answer is enough to see what is wrong: a good one is large.
    try:
        body = json.loads(text) if len(text) < MAX_BODY_BYTES // 1024 else None
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, Mapping):
        return next((str(body[name]) for name in _SAYINGS if body.get(name)), text[:1000])
    return text[:1000]
