"""An identity provider with keys of its own: what it signs counts, and nothing that only looks like it."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.ops.board.routes import board_alone
from services.ops.people.open_id import Asked, NotSignedIn, Provider
from services.ops.people.open_id_pages import OpenIdSignIn, add_open_id
from services.ops.people.telling import Telling
from services.ops.settings import OpenIdSettings
from shared.clock import FixedClock
from shared.principal import Principal, Role
from shared.sessions import HOST_COOKIE
from shared.sign_ins import Told
from tests.support.people import SESSION_KEY, SESSIONS, STATEMENTS

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


@dataclass
class Issuer:
    """A provider that gives whatever token it is told to, to who shows the right code, secret and verifier."""

    server: HTTPServer
    keys: dict[str, Any] = field(default_factory=lambda: {"rsa": RSA, "ec": EC})
    token: Callable[[str], str] = lambda _: ""
    nonce: str = ""
    challenge: str = ""

    @property
    def url(self) -> str:
        return self.server.url_for("").rstrip("/")

    def start(self) -> None:
        addresses = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        self.server.expect_request("/.well-known/openid-configuration").respond_with_json(addresses)
        self.server.expect_request("/keys").respond_with_handler(self._keys)
        self.server.expect_request("/token", method="POST").respond_with_handler(self._token)

    def _keys(self, _: Request) -> Response:
        found = []
        for kid, key in self.keys.items():
            kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
            found.append({**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"})
        return Response(json.dumps({"keys": found}), content_type="application/json")

    def _token(self, request: Request) -> Response:
        verifier = request.form["code_verifier"]
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        known = (request.authorization and request.authorization.password, request.form["code"], challenge)
        if known != ("secret", "code", self.challenge):
            return Response("{}", status=400)
        return Response(json.dumps({"id_token": self.token(self.nonce)}), content_type="application/json")

    def claims(self, nonce: str, /, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        known = {"iss": self.url, "aud": "us", "sub": "ada", "iat": now, "exp": now + 300, "nonce": nonce}
        return {name: value for name, value in {**known, **changed}.items() if value is not None}


@pytest.fixture
def issuer(httpserver: HTTPServer) -> Issuer:
    made = Issuer(httpserver)
    made.start()
    return made


@cache
def _connections() -> httpx.Client:
    """Return connections to whatever provider; reading whose certificates are trusted takes longer than a test."""
    return httpx.Client()


def _settings(issuer: Issuer, **more: Any) -> OpenIdSettings:
    known: dict[str, Any] = {"issuer": issuer.url, "client_id": "us", "client_secret": SecretStr("secret")}
    return OpenIdSettings(**{**known, "redirect_url": "https://here/sign-in/answered", **more})


def _signed_in(issuer: Issuer, token: Callable[[str], str], provider: Provider | None = None, **more: Any) -> Principal:
    provider, asked = provider or Provider(_settings(issuer, **more), _connections()), Asked()
    said = {name: value for name, (value,) in parse_qs(urlsplit(provider.address(asked)).query).items()}
    issuer.nonce, issuer.challenge, issuer.token = said["nonce"], said["code_challenge"], token
    assert (said["response_type"], said["code_challenge_method"], said["client_id"]) == ("code", "S256", "us")
    return provider.person("code", said["state"], asked)


@pytest.mark.parametrize(("key", "kid", "algorithm"), [(RSA, "rsa", "RS256"), (EC, "ec", "ES256")])
def test_token_of_the_provider_says_who_somebody_is(issuer: Issuer, key: Any, kid: str, algorithm: str) -> None:
    def token(nonce: str) -> str:
        claims = issuer.claims(nonce, groups=["desk", "ops", "all"])
        return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid})

    found = _signed_in(issuer, token, roles={"ops": "operator", "all": "viewer"})
    assert found == Principal("ada", Role.OPERATOR, ("desk", "ops", "all"))


def test_whoever_has_no_role_is_an_owner(issuer: Issuer) -> None:
    found = _signed_in(issuer, lambda nonce: jwt.encode(issuer.claims(nonce), RSA, "RS256", {"kid": "rsa"}))
    assert found == Principal("ada", Role.OWNER)


def _unsigned(claims: dict[str, Any]) -> str:
    parts = [{"alg": "none", "kid": "rsa"}, claims]
    return ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in parts) + "."


def _signed_with_what_everybody_knows(claims: dict[str, Any]) -> str:
    secret = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "kid": "rsa"}
    said = ".".join(
        base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in (header, claims)
    )
    signature = hmac.new(secret, said.encode(), hashlib.sha256).digest()
    return f"{said}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


REFUSED: dict[str, Callable[[Issuer, str], str]] = {
    "alg-none": lambda issuer, nonce: _unsigned(issuer.claims(nonce)),
    "public-key-as-secret": lambda issuer, nonce: _signed_with_what_everybody_knows(issuer.claims(nonce)),
    "other-key": lambda issuer, nonce: jwt.encode(issuer.claims(nonce), OTHER_RSA, "RS256", {"kid": "rsa"}),
    "unknown-kid": lambda issuer, nonce: jwt.encode(issuer.claims(nonce), RSA, "RS256", {"kid": "none"}),
    "other-algorithm": lambda issuer, nonce: jwt.encode(issuer.claims(nonce), RSA, "RS512", {"kid": "rsa"}),
    "no-token": lambda issuer, nonce: "no token",
}
# Clocks may differ by half a minute, no more: what ended a minute ago has ended, and ever more so.
READ: Final = int(time.time())
CHANGED: dict[str, dict[str, Any]] = {
    "other-audience": {"aud": "others"},
    "other-issuer": {"iss": "https://elsewhere"},
    "ended": {"exp": READ - 60},
    "not-yet": {"nbf": READ + 86_400},
    "other-nonce": {"nonce": "another"},
    "other-client": {"azp": "others"},
    "without-nonce": {"nonce": None},
    "without-end": {"exp": None},
    "without-subject": {"sub": None},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_only_looks_like_it_is_nobodys(issuer: Issuer, kind: str) -> None:
    with pytest.raises(NotSignedIn, match="the token is not valid"):
        _signed_in(issuer, lambda nonce: REFUSED[kind](issuer, nonce))


@pytest.mark.parametrize("kind", CHANGED)
def test_what_the_provider_says_to_others_or_not_now_is_nobodys(issuer: Issuer, kind: str) -> None:
    def token(nonce: str) -> str:
        return jwt.encode(issuer.claims(nonce, **CHANGED[kind]), RSA, "RS256", {"kid": "rsa"})

    # It was given: that there is none would be refused too.
    with pytest.raises(NotSignedIn, match="the token is"):
        _signed_in(issuer, token)


def _away(_: httpx.Request) -> httpx.Response:
    return httpx.Response(503)


def _browser(issuer: Issuer, platform: Callable[[httpx.Request], httpx.Response] = _away) -> httpx.AsyncClient:
    app = board_alone("http://platform")
    provider = Provider(_settings(issuer, roles={"ops": "operator"}))
    clock = FixedClock(datetime.now(UTC))
    add_open_id(app, OpenIdSignIn(provider, SESSIONS, SESSION_KEY, clock, Telling(STATEMENTS, clock)))
    app.state.platform = httpx.Client(transport=httpx.MockTransport(platform), base_url="http://platform")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://here")


async def test_way_to_the_provider_and_back_ends_with_a_session(issuer: Issuer) -> None:
    async with _browser(issuer) as browser:
        sent = await browser.get("/sign-in", params={"next": "/pages/runs"})
        said = {name: value for name, (value,) in parse_qs(urlsplit(sent.headers["location"]).query).items()}
        issuer.nonce, issuer.challenge = said["nonce"], said["code_challenge"]
        issuer.token = lambda nonce: jwt.encode(issuer.claims(nonce, groups=["ops"]), RSA, "RS256", {"kid": "rsa"})
        back = await browser.get("/sign-in/answered", params={"code": "code", "state": said["state"]})
        again = await browser.get("/sign-in/answered", params={"code": "code", "state": said["state"]})
    assert (sent.status_code, sent.headers["location"].split("?")[0]) == (303, f"{issuer.url}/authorize")
    assert (back.status_code, back.headers["location"]) == (303, "/pages/runs")
    found = SESSIONS.read(back.cookies[HOST_COOKIE])
    assert (found.name, found.role) == ("ada", Role.OPERATOR)
    # What was asked is forgotten with its answer.
    assert (again.status_code, HOST_COOKIE in again.cookies) == (403, False)


async def test_answer_that_nobody_has_asked_for_signs_nobody_in(issuer: Issuer) -> None:
    issuer.token = lambda nonce: jwt.encode(issuer.claims(nonce), RSA, "RS256", {"kid": "rsa"})
    async with _browser(issuer) as stranger, _browser(issuer) as browser:
        sent = await browser.get("/sign-in")
        said = {name: value for name, (value,) in parse_qs(urlsplit(sent.headers["location"]).query).items()}
        issuer.nonce, issuer.challenge = said["nonce"], said["code_challenge"]
        # Somebody else's answer, put before them; and one with another state.
        foreign = await stranger.get("/sign-in/answered", params={"code": "code", "state": said["state"]})
        other = await browser.get("/sign-in/answered", params={"code": "code", "state": "another"})
    for answer in (foreign, other):
        assert (answer.status_code, HOST_COOKIE in answer.cookies) == (403, False)


async def test_sign_in_at_the_provider_is_told_and_so_is_an_answer_that_counts_for_nothing(issuer: Issuer) -> None:
    told: list[Told | None] = []

    def platform(request: httpx.Request) -> httpx.Response:
        told.append(STATEMENTS.find(json.loads(request.content)["statement"]))
        return httpx.Response(204)

    async with _browser(issuer, platform) as browser:
        sent = await browser.get("/sign-in")
        said = {name: value for name, (value,) in parse_qs(urlsplit(sent.headers["location"]).query).items()}
        issuer.nonce, issuer.challenge = said["nonce"], said["code_challenge"]
        issuer.token = lambda nonce: jwt.encode(issuer.claims(nonce, groups=["ops"]), RSA, "RS256", {"kid": "rsa"})
        await browser.get("/sign-in/answered", params={"code": "code", "state": said["state"]})
        await browser.get("/sign-in/answered", params={"code": "code", "state": "another"})
    assert told == [
        Told("sign in", "ada", "operator", "127.0.0.1"),
        Told("sign in", "nobody", "anyone", "127.0.0.1", "refused: the provider's answer"),
    ]


def test_answer_to_another_question_and_a_code_that_is_none_are_refused(issuer: Issuer) -> None:
    provider, asked = Provider(_settings(issuer), _connections()), Asked()
    with pytest.raises(NotSignedIn, match="another question"):
        provider.person("code", Asked().state, asked)
    with pytest.raises(NotSignedIn, match="gives no token"):
        provider.person("another", asked.state, asked)


def test_keys_are_asked_for_once(issuer: Issuer) -> None:
    provider = Provider(_settings(issuer), _connections())
    for _ in range(3):
        _signed_in(issuer, lambda nonce: jwt.encode(issuer.claims(nonce), RSA, "RS256", {"kid": "rsa"}), provider)
    asked = [request for request, _ in issuer.server.log if request.path == "/keys"]
    assert len(asked) == 1


def test_new_key_of_the_provider_counts_and_one_that_it_has_given_up_does_not(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    # Kept for five minutes, and not looked for again within thirty seconds.
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    provider = Provider(_settings(issuer), _connections())

    def signed_by(key: Any, kid: str) -> Principal:
        return _signed_in(issuer, lambda nonce: jwt.encode(issuer.claims(nonce), key, "RS256", {"kid": kid}), provider)

    assert signed_by(RSA, "rsa").name == "ada"
    issuer.keys = {"next": OTHER_RSA}
    now[0] += 31.0
    assert signed_by(OTHER_RSA, "next").name == "ada"
    with pytest.raises(NotSignedIn):
        signed_by(RSA, "rsa")


def test_mail_address_counts_only_where_the_provider_is_sure_of_it(issuer: Issuer) -> None:
    for sure in (True, False):
        changed = {"email": "ada@example.org", "email_verified": sure}

        def token(nonce: str, changed: dict[str, Any] = changed) -> str:
            return jwt.encode(issuer.claims(nonce, **changed), RSA, "RS256", {"kid": "rsa"})

        if sure:
            assert _signed_in(issuer, token, name_claim="email").name == "ada@example.org"
        else:
            with pytest.raises(NotSignedIn, match="no email that is sure"):
                _signed_in(issuer, token, name_claim="email")


def test_provider_that_calls_itself_otherwise_is_not_the_one(issuer: Issuer) -> None:
    provider = Provider(_settings(issuer).model_copy(update={"issuer": f"{issuer.url}/"}), _connections())
    with pytest.raises(NotSignedIn, match="the provider must be"):
        provider.address(Asked())
