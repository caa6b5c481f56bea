"""Commands about who may sign in: `users add|list|remove|set-password`."""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.ops.errors import Misused
from services.ops.options import DEFAULT_DATA_DIR, DataDirOption, taking
from services.ops.terminal import say

if TYPE_CHECKING:
    from services.ops.people.users import Users

_Name = Annotated[str, typer.Argument(help="As it is typed to sign in.")]


class _Role(StrEnum):
    OWNER = "owner"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


@dataclass(frozen=True, kw_only=True)
class UsersOptions:
    """Where people are written down."""

    file: Annotated[
        Path | None, typer.Option(envvar="USERS_FILE", help="Who may sign in; by default in the data directory.")
    ] = None
    data_dir: DataDirOption = DEFAULT_DATA_DIR

    def users(self) -> "Users":
        """Return the people of the file."""
        from services.ops.people.users import Users, users_file

        return Users(self.file or users_file(self.data_dir))


@dataclass(frozen=True, kw_only=True)
class UserOptions(UsersOptions):
    """Who is meant."""

    name: _Name


@dataclass(frozen=True, kw_only=True)
class AddOptions(UserOptions):
    """The options of `users add`."""

    role: Annotated[_Role, typer.Option(help="What they may do.")] = _Role.OWNER
    group: Annotated[list[str] | None, typer.Option(help="Whose portfolios are theirs too; repeat for several.")] = None


@taking(AddOptions)
def add(options: AddOptions) -> None:
    """Let somebody sign in.

    The password is asked for, or read from standard input.
    """
    options.users().add(options.name, options.role.value, options.group or (), _password())
    say(f"{options.name} may sign in")


@dataclass(frozen=True, kw_only=True)
class ListOptions(UsersOptions):
    """The options of `users list`."""

    json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")] = False


@taking(ListOptions)
def list_users(options: ListOptions) -> None:
    """List who may sign in, with role and groups."""
    users = options.users().load()
    if options.json:
        say(json.dumps([{"name": user.name, "role": user.role, "groups": user.groups} for user in users], indent=2))
        return
    for user in users:
        say(f"{user.name}  {user.role}  {' '.join(user.groups)}".rstrip())


@taking(UserOptions)
def remove(options: UserOptions) -> None:
    """Let somebody sign in no more.

    Sessions that they have end within ten minutes.
    """
    options.users().remove(options.name)
    say(f"{options.name} may sign in no more")


@taking(UserOptions)
def set_password(options: UserOptions) -> None:
    """Give somebody another password.

    It is asked for, or read from standard input. Their sessions end.
    """
    options.users().set_password(options.name, _password())
    say(f"{options.name} has another password")


def _password() -> str:
    import getpass
    import sys

    # Never an option: it would stand in the list of processes.
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise Misused("the two passwords must be the same")
    return password
