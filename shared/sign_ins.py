"""What pages tell the service that keeps it of who signs in and out: signed, so that nobody else can tell anything."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import jwt
from pydantic import SecretStr

# Whose audit has it.
KEPT_BY: Final = "scheduler"
ROUTE: Final = f"/audit/{KEPT_BY}/sign-ins"
MAX_STATEMENT_CHARS: Final = 4000
# No session is one of these, and none of these a session.
_AUDIENCE: Final = "sigmasight sign-ins"
_ALGORITHM: Final = "HS256"
_COUNTS_FOR: Final = timedelta(minutes=1)
# Who has not shown who they are, and what they may.
NOBODY: Final = "nobody"
NO_ROLE: Final = "anyone"


class SignIn(StrEnum):
    """What somebody does about a session of theirs, or what becomes of it."""

    IN = "sign in"
    OUT = "sign out"
    ENDED = "session ended"


@dataclass(frozen=True, slots=True)
class Told:
    """A sign-in, or what ends one.

    Attributes
    ----------
    what : str
        One of `SignIn`.
    name, role : str
        Whose; `NOBODY` in `NO_ROLE` where nobody has shown who they are.
    address : str
        Where the request came from.
    outcome : str
        "done", or how it was refused.
    """

    what: str
    name: str
    role: str
    address: str
    outcome: str = "done"


class Statements:
    """Makes what is told, and reads it, by the key of the sessions."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def make(self, told: Told, *, at: datetime) -> str:
        """Return what the service believes for a minute."""
        claims = {**asdict(told), "aud": _AUDIENCE, "exp": at + _COUNTS_FOR}
        return jwt.encode(claims, self._key.get_secret_value(), algorithm=_ALGORITHM)

    def find(self, statement: str) -> Told | None:
        """Return what was told; None where it was not told by pages of ours, or not now."""
        try:
            claims = jwt.decode(
                statement,
                self._key.get_secret_value(),
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                options={"require": ["exp", "aud"]},
            )
            return Told(SignIn(claims["what"]), *(str(claims[name]) for name in ("name", "role", "address", "outcome")))
        except (jwt.InvalidTokenError, KeyError, ValueError):
            return None
