"""Signing in at an identity provider (OpenID Connect, authorization code with PKCE): what it says, checked."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import jwt

from services.ops.settings import OpenIdSettings
from shared.principal import Principal, Role
from shared.sessions import ROLES

# Signatures with a key that only the provider has; whatever a token says of itself.
ALGORITHMS: Final = ("RS256", "ES256")
_ANSWERS_WITHIN_S: Final = 10.0
_CLOCKS_DIFFER_S: Final = 30
_REQUIRED: Final = ("iss", "aud", "sub", "exp", "iat", "nonce")


class NotSignedIn(Exception):
    """What came back from the provider says of nobody that they have signed in here and now."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody was sent to the provider with, and what has to come back: kept in their browser, signed."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """Return what tells the verifier without saying it."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class Provider:
    """An identity provider, asked for its addresses and keys when they are needed first."""

    def __init__(self, settings: OpenIdSettings, http: httpx.Client | None = None) -> None:
        self._settings = settings
        self._http = http or httpx.Client(timeout=_ANSWERS_WITHIN_S)

    @cached_property
    def _addresses(self) -> Mapping[str, Any]:
        issuer = self._settings.issuer
        answer = self._http.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration").raise_for_status().json()
        if answer["issuer"] != issuer:
            raise NotSignedIn(f"the provider must be {issuer}, was {answer['issuer']!r:.200}")
        return dict(answer)

    @cached_property
    def _keys(self) -> jwt.PyJWKClient:
        # Kept for five minutes; a key that is not among them is looked for once more.
        return jwt.PyJWKClient(self._addresses["jwks_uri"], timeout=_ANSWERS_WITHIN_S)

    def address(self, asked: Asked) -> str:
        """Return where somebody is sent to sign in."""
        said = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._settings.redirect_url,
            "scope": self._settings.scope,
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": asked.challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._addresses['authorization_endpoint']}?{urlencode(said)}"

    def person(self, code: str, state: str, asked: Asked) -> Principal:
        """Return who has signed in, by the code and the state that came back.

        Raises
        ------
        NotSignedIn
        """
        if not secrets.compare_digest(state.encode(), asked.state.encode()):
            raise NotSignedIn("the answer is to another question")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.redirect_url,
            "code_verifier": asked.verifier,
        }
        client = (self._settings.client_id, self._settings.client_secret.get_secret_value())
        try:
            answer = self._http.post(self._addresses["token_endpoint"], data=form, auth=client).raise_for_status()
            token = str(answer.json()["id_token"])
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise NotSignedIn(f"the provider gives no token: {type(error).__name__}") from None
        return self._principal(self._claims(token, asked.nonce))

    def _claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        try:
            claims = jwt.decode(
                token,
                self._keys.get_signing_key_from_jwt(token),
                algorithms=list(ALGORITHMS),
                audience=self._settings.client_id,
                issuer=self._settings.issuer,
                leeway=_CLOCKS_DIFFER_S,
                options={"require": list(_REQUIRED)},
            )
        except jwt.PyJWTError as error:
            raise NotSignedIn(f"the token is not valid: {type(error).__name__}") from None
        if not secrets.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
            raise NotSignedIn("the token is for another sign-in")
        if claims.get("azp", self._settings.client_id) != self._settings.client_id:
            raise NotSignedIn("the token is for another client")
        return dict(claims)

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        name = claims.get(self._settings.name_claim)
        if not isinstance(name, str) or (self._settings.name_claim == "email" and not claims.get("email_verified")):
            raise NotSignedIn(f"the token has no {self._settings.name_claim} that is sure")
        given = [
            ROLES[self._settings.roles[each]]
            for each in self._list(claims, self._settings.roles_claim)
            if each in self._settings.roles
        ]
        groups = self._list(claims, self._settings.groups_claim)
        return Principal(name, max(given, default=Role.OWNER), tuple(groups))

    @staticmethod
    def _list(claims: Mapping[str, Any], name: str) -> list[str]:
        found = claims.get(name, [])
        return [str(each) for each in (found if isinstance(found, list) else [found])]
