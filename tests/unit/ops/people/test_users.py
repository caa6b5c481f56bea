"""The file of people: who is in it signs in with their password, and nobody else with anything."""

import json
from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher

from services.ops.errors import CommandError, Misused
from services.ops.people.users import Users
from shared.principal import Principal, Role
from tests.support.command_line import sigmasight

PASSWORD = "correct horse battery"


class Hasher(PasswordHasher):
    """A cheap one that counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.asked = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
        self.asked += 1
        return super().verify(hash, password)


@pytest.fixture
def hasher() -> Hasher:
    return Hasher()


@pytest.fixture
def users(tmp_path: Path, hasher: Hasher) -> Users:
    found = Users(tmp_path / "users.json", hasher)
    found.add("ada", "owner", ["desk"], PASSWORD)
    found.add("olga", "operator", [], f"{PASSWORD} of olga")
    return found


def _who(users: Users, name: str, password: str) -> Principal | None:
    user = users.check(name, password)
    return None if user is None else user.principal


def test_who_is_in_the_file_is_who_the_password_says(users: Users) -> None:
    assert _who(users, "ada", PASSWORD) == Principal("ada", Role.OWNER, ("desk",))
    assert _who(users, "olga", f"{PASSWORD} of olga") == Principal("olga", Role.OPERATOR)
    for name, password in (("ada", ""), ("ada", PASSWORD.upper()), ("olga", PASSWORD), ("Ada", PASSWORD), ("", "")):
        assert users.check(name, password) is None, name


def test_nobody_of_a_name_costs_what_a_wrong_password_does(users: Users, hasher: Hasher) -> None:
    counts = []
    for name in ("ada", "nobody", ""):
        before = hasher.asked
        users.check(name, "wrong")
        counts.append(hasher.asked - before)
    assert counts == [1, 1, 1]


def test_file_holds_no_password_and_is_its_owners_alone(users: Users, tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    assert PASSWORD not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert {each["password"][:10] for each in json.loads(file.read_text())} == {"$argon2id$"}
    file.chmod(0o640)
    with pytest.raises(CommandError, match=r"mode 600.*was 640"):
        users.check("ada", PASSWORD)


def test_file_of_somebody_else_may_be_shown_to_our_group_as_a_mounted_secret_is(
    users: Users, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "users.json"
    monkeypatch.setattr("os.geteuid", lambda: file.stat().st_uid + 1)
    file.chmod(0o440)
    assert len(users.load()) == 2
    for mode in (0o460, 0o444):
        file.chmod(mode)
        with pytest.raises(CommandError, match="mode 600"):
            users.load()


def test_password_is_changed_and_somebody_removed(users: Users) -> None:
    users.set_password("ada", "another password")
    assert (users.check("ada", PASSWORD), users.check("ada", "another password") is None) == (None, False)
    users.remove("ada")
    assert users.check("ada", "another password") is None
    assert [user.name for user in users.load()] == ["olga"]


@pytest.mark.parametrize(
    ("name", "role", "groups", "password", "said"),
    [
        ("ada", "owner", [], PASSWORD, "already"),
        ("group:desk", "owner", [], PASSWORD, "name must match"),
        ("bob", "owner", ["a desk"], PASSWORD, "name must match"),
        ("bob", "anyone", [], PASSWORD, "role must be one of owner, viewer, operator, admin"),
        ("bob", "owner", [], "short", "12 to 1000 characters, was 5"),
        ("bob", "owner", [], "x" * 1001, "was 1001"),
    ],
)
def test_who_makes_no_sense_is_refused(
    users: Users, name: str, role: str, groups: list[str], password: str, said: str
) -> None:
    with pytest.raises(Misused, match=said):
        users.add(name, role, groups, password)
    assert [user.name for user in users.load()] == ["ada", "olga"]


def test_somebody_who_is_not_there_is_told(users: Users) -> None:
    for change in (users.remove, lambda name: users.set_password(name, PASSWORD)):
        with pytest.raises(Misused, match="nobody called 'bob'"):
            change("bob")


def test_commands_keep_who_may_sign_in_and_ask_for_passwords_on_standard_input(tmp_path: Path) -> None:
    added = sigmasight(tmp_path, "users", "add", "ada", "--group", "desk", stdin=f"{PASSWORD}\n")
    assert (added.exit_code, added.stdout) == (0, "ada may sign in\n")
    assert sigmasight(tmp_path, "users", "list").stdout == "ada  owner  desk\n"
    assert _who(Users(tmp_path / "users.json"), "ada", PASSWORD) == Principal("ada", Role.OWNER, ("desk",))
    again = sigmasight(tmp_path, "users", "add", "ada", stdin=f"{PASSWORD}\n")
    assert (again.exit_code, "already" in again.stderr) == (2, True)
    assert sigmasight(tmp_path, "users", "remove", "ada").exit_code == 0
    assert sigmasight(tmp_path, "users", "list", "--json").stdout == "[]\n"
