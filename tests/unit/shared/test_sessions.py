"""Sessions: whoever has one, has shown who they are, and nobody makes one without the key."""

import base64
import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from shared.principal import Principal, Role
from shared.sessions import MAX_SESSION_CHARS, NoSession, Sessions

KEY = "k" * 64
SESSIONS = Sessions(SecretStr(KEY), lasting=timedelta(hours=1))
ADA = Principal("ada@example.org", Role.OWNER, ("desk", "family"))


def _now() -> datetime:
    return datetime.now(UTC)


def _claims(**changed: Any) -> dict[str, Any]:
    known = {"iss": "sigmasight", "aud": "sigmasight", "sub": "ada", "role": "owner", "groups": [], "csrf": "c"}
    end = _now() + timedelta(hours=1)
    return {**known, "mark": "", "iat": _now(), "exp": end, "end": int(end.timestamp()), **changed}


def _without(name: str) -> dict[str, Any]:
    return {claim: value for claim, value in _claims().items() if claim != name}


def _unsigned(claims: dict[str, Any]) -> str:
    def part(of: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(of).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims | {'iat': 0, 'exp': 2**33})}."


def test_session_says_who_it_is_of_with_a_token_of_its_own() -> None:
    first, second = (SESSIONS.read(SESSIONS.issue(ADA, at=_now())) for _ in range(2))
    assert (first.name, first.role, first.groups) == (ADA.name, ADA.role, ADA.groups)
    assert first.owners == ("ada@example.org", "group:desk", "group:family")
    assert first.csrf
    assert second.csrf != first.csrf


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "no token",
        "a" * (MAX_SESSION_CHARS + 1),
        _unsigned(_claims()),
        jwt.encode(_claims(), "another key, of as many characters", algorithm="HS256"),
        jwt.encode(_claims(), KEY, algorithm="HS512"),
        jwt.encode(_claims(exp=_now() - timedelta(seconds=1)), KEY, algorithm="HS256"),
        jwt.encode(_claims(nbf=_now() + timedelta(hours=1)), KEY, algorithm="HS256"),
        jwt.encode(_claims(aud="another"), KEY, algorithm="HS256"),
        jwt.encode(_claims(iss="another"), KEY, algorithm="HS256"),
        jwt.encode(_claims(end=0, exp=0), KEY, algorithm="HS256"),
        jwt.encode(_claims(role="anyone"), KEY, algorithm="HS256"),
        *(jwt.encode(_without(name), KEY, algorithm="HS256") for name in _claims()),
    ],
    ids=[
        *("empty", "no-token", "too-long", "alg-none", "other-key", "other-algorithm", "ended", "not-yet"),
        *("other-audience", "other-issuer", "over", "no-role-of-people"),
        *(f"without-{name}" for name in _claims()),
    ],
)
def test_what_is_no_session_is_nobodys(cookie: str) -> None:
    with pytest.raises(NoSession):
        SESSIONS.read(cookie)


@pytest.mark.parametrize("name", ["alg", "key", "end"])
def test_nothing_goes_on_that_was_no_session(name: str) -> None:
    made = {
        "alg": _unsigned(_claims(end=2**33)),
        "key": jwt.encode(_claims(), "another key, of as many characters", algorithm="HS256"),
        "end": jwt.encode(_claims(end=int(_now().timestamp()) - 1), KEY, algorithm="HS256"),
    }
    with pytest.raises(NoSession):
        SESSIONS.find_due(made[name], at=_now())


def test_session_that_was_changed_is_nobodys() -> None:
    header, claims, signature = SESSIONS.issue(ADA, at=_now()).split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    said["role"] = "admin"
    raised = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    with pytest.raises(NoSession):
        SESSIONS.read(f"{header}.{raised}.{signature}")


@pytest.mark.parametrize(
    ("minutes_ago", "is_believed", "is_due", "is_over"),
    [(4, True, False, False), (6, True, True, False), (11, False, True, False), (61, False, False, True)],
)
def test_session_is_believed_for_ten_minutes_and_goes_on_for_as_long_as_it_lasts(
    minutes_ago: int, is_believed: bool, is_due: bool, is_over: bool
) -> None:
    cookie, found = SESSIONS.issue(ADA, at=_now() - timedelta(minutes=minutes_ago), mark="m"), None
    with nullcontext() if is_believed else pytest.raises(NoSession):
        assert SESSIONS.read(cookie).name == ADA.name
    with pytest.raises(NoSession) if is_over else nullcontext():
        found = SESSIONS.find_due(cookie, at=_now())
    assert (found and (found.person.name, found.mark)) == ((ADA.name, "m") if is_due else None)


def test_session_that_goes_on_ends_when_it_would_have_and_keeps_its_token() -> None:
    begun = _now().replace(microsecond=0) - timedelta(minutes=55)
    due = SESSIONS.find_due(SESSIONS.issue(ADA, at=begun), at=_now())
    assert due is not None
    assert due.end == begun + SESSIONS.lasting
    assert SESSIONS.read(SESSIONS.renew(due, at=_now())) == replace(due.person, until=due.end)


def test_session_with_another_key_ends_them_all() -> None:
    cookie = SESSIONS.issue(ADA, at=_now())
    with pytest.raises(NoSession):
        Sessions(SecretStr("x" * 32), lasting=timedelta(hours=1)).read(cookie)


@pytest.mark.parametrize("name", ["", "group:desk", "a b", "*", "ada\n", "a" * 101])
def test_name_that_could_be_taken_for_another_gets_no_session(name: str) -> None:
    with pytest.raises(ValueError, match="must match"):
        SESSIONS.issue(Principal(name, Role.OWNER), at=_now())
    with pytest.raises(ValueError, match="must match"):
        SESSIONS.issue(Principal("ada", Role.OWNER, (name,)), at=_now())


def test_more_groups_than_a_cookie_can_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 4000 characters"):
        SESSIONS.issue(Principal("ada", Role.OWNER, tuple(f"group-{n}" for n in range(500))), at=_now())
