"""Sessions of people: a signed cookie that every service reads without asking anybody."""

import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.requests import HTTPConnection

from shared.principal import NAME_PATTERN, Principal, Role
from shared.sign_ins import Statements

COOKIE: Final = "sigmasight_session"
# Where browsers keep it to https: none but this host itself can set it.
HOST_COOKIE: Final = f"__Host-{COOKIE}"
# How long services believe what it says; then whoever lets people sign in looks them up again.
BELIEVED_FOR: Final = timedelta(minutes=10)
# A browser keeps no longer cookie; nothing is decoded of what cannot be one.
MAX_SESSION_CHARS: Final = 4000
_ISSUER: Final = "sigmasight"
_ALGORITHM: Final = "HS256"
_NAME: Final = re.compile(NAME_PATTERN)
# Nobody signs in as ANYONE.
ROLES: Final = {role.name.lower(): role for role in Role if role is not Role.ANYONE}


class NoSession(Exception):
    """What was sent is no session, or one that has ended."""


@dataclass(frozen=True, slots=True)
class Due:
    """A session that goes on if its person may still have it.

    Attributes
    ----------
    person : Principal
        Whose it is.
    mark : str
        What was known of them beside it when they signed in.
    end : datetime
        When it is over whatever happens.
    """

    person: Principal
    mark: str
    end: datetime


class Sessions:
    """Makes sessions, and reads who they are of."""

    def __init__(
        self, key: SecretStr, *, lasting: timedelta, secure: bool = True, believed_for: timedelta = BELIEVED_FOR
    ) -> None:
        self._key = key
        self._believed_for = believed_for
        self.lasting = lasting
        # Whether browsers keep them to https, but for this machine.
        self.secure = secure

    def issue(self, person: Principal, *, at: datetime, mark: str = "") -> str:
        """Return the cookie of somebody who has just shown who they are.

        Raises
        ------
        ValueError
            If a name is none, or there are more groups than a cookie can hold.
        """
        begun = Due(replace(person, csrf=secrets.token_urlsafe(24)), mark, at + self.lasting)
        return self.renew(begun, at=at)

    def renew(self, session: Due, *, at: datetime) -> str:
        """Return the cookie of a session that goes on.

        Raises
        ------
        ValueError
            As `issue`.
        """
        person = session.person
        for name in (person.name, *person.groups):
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"a name must match {NAME_PATTERN}, was {name[:100]!r}")
        claims = {
            "iss": _ISSUER,
            "aud": _ISSUER,
            "sub": person.name,
            "role": person.role.name.lower(),
            "groups": list(person.groups),
            "csrf": person.csrf,
            "mark": session.mark,
            "iat": at,
            "exp": min(at + self._believed_for, session.end),
            "end": round(session.end.timestamp()),
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
        return _session(self._claims(cookie)).person

    def find_due(self, cookie: str, *, at: datetime) -> Due | None:
        """Return the session whose person is to be looked up again, though nobody believes it any more.

        Raises
        ------
        NoSession
            Also if it is over.
        """
        claims = self._claims(cookie, verify_exp=False)
        session = _session(claims)
        if session.end <= at:
            raise NoSession
        # Pages that stay open ask often enough for it to be believed at any time.
        is_due = claims["iat"] + self._believed_for.total_seconds() / 2 <= at.timestamp()
        return session if is_due else None

    def _claims(self, cookie: str, *, verify_exp: bool = True) -> dict[str, Any]:
        if len(cookie) > MAX_SESSION_CHARS:
            raise NoSession
        try:
            return dict(
                jwt.decode(
                    cookie,
                    self._key.get_secret_value(),
                    algorithms=[_ALGORITHM],
                    audience=_ISSUER,
                    issuer=_ISSUER,
                    options={"require": ["exp", "iat", "sub", "aud", "iss"], "verify_exp": verify_exp},
                )
            )
        except jwt.InvalidTokenError as error:
            raise NoSession from error


def _session(claims: dict[str, Any]) -> Due:
    try:
        until, end = (datetime.fromtimestamp(claims[name], UTC) for name in ("exp", "end"))
        person = Principal(claims["sub"], ROLES[claims["role"]], tuple(claims["groups"]), claims["csrf"], until)
        return Due(person, claims["mark"], end)
    except KeyError as missing:
        raise NoSession from missing


def cookie_of(connection: HTTPConnection) -> str:
    """Return what a browser sends as its session; nothing where it has none."""
    return connection.cookies.get(HOST_COOKIE) or connection.cookies.get(COOKIE, "")


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

    @property
    def statements(self) -> Statements | None:
        """What is told of who signs in, where anybody can."""
        return None if self.session_key is None else Statements(self.session_key)
