"""The platform's API as the commands see it: JSON in, JSON out, refusals as errors."""

import ipaddress
import json
import ssl
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from services.ops.client.flags import flag_of
from services.ops.client.routes import Answer, Route
from services.ops.data_directory import DataDirectory
from services.ops.errors import NOT_FOUND, FieldError, Misused, Refused, Unreachable
from services.ops.settings import ClientSettings

_TIMEOUT_S = 60.0
# Shorter than servers do (uvicorn 5 s): a request on a connection that they close in that moment is lost.
KEPT_S = 2.0
_NONE: Mapping[str, str] = MappingProxyType({})


class ApiClient:
    """An authenticated client of one platform; refusals call fields by the names that people have typed."""

    def __init__(self, connections: httpx.Client, credentials: Mapping[str, str], names: Collection[str] = ()) -> None:
        self.url = str(connections.base_url).rstrip("/")
        self._names = names
        self._credentials = credentials
        self._http = connections

    @classmethod
    def with_token(cls, url: str, token: str, names: Collection[str] = ()) -> Self:
        """Return a client with connections of its own."""
        return cls(connections_to(url), {"Authorization": f"Bearer {token}"}, names)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, route: Route[Answer], **query: object) -> Answer:
        """Return what a route answers; what is None in the query is left out.

        Raises
        ------
        Unreachable, Refused
            If nothing answers, or the answer is no.
        """
        return self._ask(route, query)

    def send(self, route: Route[Answer], body: Mapping[str, object] | None, **query: object) -> Answer:
        """Send a JSON body to a route, dates in it as text, or none, and return what it answers.

        Raises
        ------
        Unreachable, Refused
            If nothing answers, or the answer is no.
        """
        if body is None:
            return self._ask(route, query)
        headers = {"Content-Type": "application/json"}
        return self._ask(route, query, headers, content=json.dumps(dict(body), default=str))

    def read_text(self, path: str) -> str:
        """Return what an address below the root answers as text, as the metrics do.

        Raises
        ------
        Unreachable, Refused
            If nothing answers, or the answer is no.
        """
        return self._answered("GET", path, headers=self._credentials).text

    def follow(self, route: Route[Answer], *, after: int) -> Iterator[Answer]:
        """Yield what a route streams behind an event, until the stream ends or is broken off.

        Raises
        ------
        Unreachable, Refused
            If nothing answers any more, or the answer is no.
        """
        method, path = route.address
        headers = {**self._credentials, "Last-Event-ID": str(after)}
        try:
            with self._http.stream(method, path, headers=headers) as response:
                if not response.is_success:
                    response.read()
                    raise _refusal(response, self._names)
                for line in response.iter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line.removeprefix("data: "))
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unreachable(self.url, str(error) or type(error).__name__) from error

    def _ask(
        self, route: Route[Answer], query: Mapping[str, object], headers: Mapping[str, str] = _NONE, **content: Any
    ) -> Answer:
        method, path = route.address
        headers = {**self._credentials, **headers}
        params = {name: _text(value) for name, value in query.items() if value is not None}
        answer: Answer = self._answered(method, path, params=params, headers=headers, **content).json()
        return answer

    def _answered(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **request)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unreachable(self.url, str(error) or type(error).__name__) from error
        if response.is_success:
            return response
        raise _refusal(response, self._names)


def connections_to(url: str, *, within_s: float = _TIMEOUT_S) -> httpx.Client:
    """Return connections to a platform, for whoever asks; no cookie that it answers with is kept for the next."""
    return httpx.Client(
        base_url=url.rstrip("/"),
        timeout=within_s,
        limits=httpx.Limits(keepalive_expiry=KEPT_S),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        verify=True if urlsplit(url).scheme == "https" else _trusting_nobody(),
        # A proxy of the environment doesn't lead to this machine's own ports.
        trust_env=not is_loopback(url),
    )


def find(client: ApiClient, route: Route[Answer], **query: object) -> Answer | None:
    """Return what a route answers, None where it says that there is no such thing.

    Raises
    ------
    Unreachable, Refused
        If nothing answers, or the answer is another no.
    """
    try:
        return client.get(route, **query)
    except Refused as refused:
        if refused.status == NOT_FOUND:
            return None
        raise


@contextmanager
def connected(data_dir: DataDirectory, url: str | None, names: Collection[str] = ()) -> Iterator[ApiClient]:
    """Open a client of the platform that `url` names, else of the one that runs on the data directory.

    Raises
    ------
    Misused
        If no address or no token is known.
    """
    settings = ClientSettings()
    address = url or data_dir.find_url()
    if address is None:
        raise Misused(
            f"no platform runs on {data_dir.path}; start one with `sigmasight up`, or name one with --url or --data-dir"
        )
    if not address.startswith(("http://", "https://")):
        raise Misused(f"the address of the platform must begin with http:// or https://, was {address}")
    token = settings.sigmasight_token or data_dir.find_secret("operator.token")
    if token is None:
        raise Misused(f"a token is needed: set SIGMASIGHT_TOKEN (there is none in {data_dir.path})")
    if not (token.get_secret_value().isascii() and token.get_secret_value().isprintable()):
        raise Misused("the token (SIGMASIGHT_TOKEN) must consist of printable ASCII characters")
    client = ApiClient.with_token(address, token.get_secret_value(), names)
    try:
        yield client
    finally:
        client.close()


def is_loopback(url: str) -> bool:
    """Tell whether a URL is of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _trusting_nobody() -> ssl.SSLContext:
    """Return trust in no certificate at all: who speaks no TLS shows none, and reading whom to trust takes 40 ms."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _text(value: object) -> str | list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else str(value)


def _refusal(response: httpx.Response, names: Collection[str]) -> Refused:
    try:
        problem = response.json()
    except ValueError:
        return Refused(response.status_code, response.reason_phrase)
    if not isinstance(problem, dict):
        return Refused(response.status_code, response.reason_phrase)
    detail, errors = str(problem.get("detail", response.reason_phrase)), []
    for error in problem.get("errors", []):
        field, reason, line = str(error.get("field", "?")), str(error.get("reason", "?")), error.get("line")
        # In a file it is a column that people look for.
        name = field if line is not None else flag_of(field, names)
        errors.append(FieldError(name, reason, line))
        detail = detail.replace(f"{field} {reason}", f"{name}: {reason}")
    return Refused(response.status_code, detail, errors)
