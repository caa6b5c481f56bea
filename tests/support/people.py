"""People who have signed in to a platform under test."""

from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import SecretStr

from shared.principal import Principal
from shared.sessions import COOKIE, Sessions
from shared.sign_ins import Statements

SESSION_KEY: Final = SecretStr("the key of the sessions of a test")
# Made when a module is read, and used when its tests are run.
SESSIONS: Final = Sessions(SESSION_KEY, lasting=timedelta(hours=1), believed_for=timedelta(hours=1))
STATEMENTS: Final = Statements(SESSION_KEY)


def signed_in(person: Principal) -> dict[str, str]:
    """Return the headers of somebody's requests, with the token that lets them change something."""
    cookie = SESSIONS.issue(person, at=datetime.now(UTC))
    return {"Cookie": f"{COOKIE}={cookie}", "X-CSRF-Token": SESSIONS.read(cookie).csrf or ""}
