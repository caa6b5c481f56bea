"""What pages tell of sign-ins is believed of them alone, and for a minute."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from shared.principal import Principal, Role
from shared.sessions import NoSession
from shared.sign_ins import Statements, Told
from tests.support.people import SESSION_KEY, SESSIONS, STATEMENTS

TOLD = Told("sign in", "ada", "operator", "192.0.2.7")


def _made(**changed: Any) -> str:
    claims: dict[str, Any] = {
        "what": "sign in",
        "name": "ada",
        "role": "operator",
        "address": "",
        "outcome": "done",
        "aud": "sigmasight sign-ins",
        "exp": datetime.now(UTC) + timedelta(minutes=1),
        **changed,
    }
    said = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(said, SESSION_KEY.get_secret_value(), "HS256")


def test_statement_says_what_was_told() -> None:
    assert STATEMENTS.find(STATEMENTS.make(TOLD, at=datetime.now(UTC))) == TOLD
    assert STATEMENTS.find(_made()) is not None


@pytest.mark.parametrize(
    "statement",
    [
        *("", "nothing", SESSIONS.issue(Principal("ada", Role.ADMIN), at=datetime.now(UTC))),
        Statements(SecretStr("another key of thirty-two letters")).make(TOLD, at=datetime.now(UTC)),
        STATEMENTS.make(TOLD, at=datetime.now(UTC) - timedelta(minutes=2)),
        *(_made(what="drop"), _made(name=None), _made(exp=None), _made(aud=None), _made(aud="sigmasight")),
        jwt.encode({"what": "sign in"}, "", algorithm="none"),
    ],
)
def test_what_pages_have_not_told_just_now_is_no_statement(statement: str) -> None:
    assert STATEMENTS.find(statement) is None


def test_statement_is_no_session() -> None:
    with pytest.raises(NoSession):
        SESSIONS.read(STATEMENTS.make(TOLD, at=datetime.now(UTC)))
