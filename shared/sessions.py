"""Sessions of people: a signed cookie that every service reads without asking anybody."""

import re
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

import jwt
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.principal import NAME_PATTERN, Principal, Role

COOKIE: Final = "sigmasight_session"
# A browser keeps no longer cookie; nothing is decoded of what cannot be one.
MAX_SESSION_CHARS: Final = 4000
_ISSUER: Final = "sigmasight"
_ALGORITHM: Final = "HS256"
_NAME: Final = re.compile(NAME_PATTERN)
# Nobody signs in as ANYONE.
ROLES: Final = {role.name.lower(): role for role in Role if role is not Role.ANYONE}


class NoSession(Exception):
    """What was sent is no session, or one that has ended."""


class Sessions:
    """Makes sessions, and reads who they are of."""

    def __init__(self, key: SecretStr, *, lasting: timedelta, secure: bool = True) -> None:
        self._key = key
        self.lasting = lasting
        # Whether browsers keep them to https, but for this machine.
        self.secure = secure

    def issue(self, person: Principal, *, at: datetime) -> str:
        """Return the cookie of somebody who has just shown who they are.

        Raises
        ------
        ValueError
            If a name is none, or there are more groups than a cookie can hold.
        """
        for name in (person.name, *person.groups):
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"a name must match {NAME_PATTERN}, was {name[:100]!r}")
        claims = {
            "iss": _ISSUER,
            "aud": _ISSUER,
            "sub": person.name,
            "role": person.role.name.lower(),
            "groups": list(person.groups),
            "csrf": secrets.token_urlsafe(24),
            "iat": at,
            "exp": at + self.lasting,
        }
        cookie = jwt.encode(claims, self._key.get_secret_value(), algorithm=_ALGORITHM)
        if len(cookie) > MAX_SESSION_CHARS:
            raise ValueError(f"a session must have at most {MAX_SESSION_CHARS} characters, was {len(cookie)}")
        return cookie

    def read(self, cookie: str) -> Principal:
        """Return whose session it is.

        Raises
        ------
        NoSession
        """
        if len(cookie) > MAX_SESSION_CHARS:
            raise NoSession
        try:
            claims = jwt.decode(
                cookie,
                self._key.get_secret_value(),
                algorithms=[_ALGORITHM],
                audience=_ISSUER,
                issuer=_ISSUER,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.InvalidTokenError as error:
            raise NoSession from error
        return _principal(claims)


def _principal(claims: dict[str, Any]) -> Principal:
    try:
        return Principal(claims["sub"], ROLES[claims["role"]], tuple(claims["groups"]), claims["csrf"])
    except KeyError as missing:
        raise NoSession from missing


class SessionSettings(BaseSettings):
    """What reads the sessions of people, and makes them: the same for all services."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    # None: nobody signs in.
    session_key: SecretStr | None = Field(default=None, min_length=32)
    session_hours: float = Field(default=10.0, gt=0.0, le=24.0 * 7)
    session_secure: bool = True

    @property
    def sessions(self) -> Sessions | None:
        """Sessions, where anybody can have one."""
        if self.session_key is None:
            return None
        return Sessions(self.session_key, lasting=timedelta(hours=self.session_hours), secure=self.session_secure)
