"""A file of people who may sign in, for who has no identity provider: names, roles, groups, and hashes of passwords."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import TypeAdapter, ValidationError

from services.ops.errors import CommandError, Misused
from shared.principal import NAME_PATTERN, Principal
from shared.sessions import ROLES

MIN_PASSWORD_CHARS: Final = 12
# What is longer costs time to hash and is nobody's.
MAX_PASSWORD_CHARS: Final = 1000
_NAME: Final = re.compile(NAME_PATTERN)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in; the password is kept as its argon2 hash."""

    name: str
    role: str
    groups: tuple[str, ...]
    password: str

    @property
    def principal(self) -> Principal:
        """Return who they are to the platform."""
        return Principal(self.name, ROLES[self.role], self.groups)

    @property
    def mark(self) -> str:
        """Return what changes with the password, by which nobody finds it."""
        return sha256(self.password.encode()).hexdigest()[:32]


_USERS = TypeAdapter(tuple[User, ...])


def users_file(data_dir: Path) -> Path:
    """Return where people are written down who may sign in to what `up` runs."""
    return data_dir / "users.json"


class Users:
    """The people of a file that only its owner may read, by name."""

    def __init__(self, file: Path, hasher: PasswordHasher | None = None) -> None:
        self._file = file
        self._hasher = hasher or PasswordHasher()

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash("nobody's")

    def check(self, name: str, password: str) -> User | None:
        """Return who this is; None where there is nobody of the name, or the password is another."""
        # Whoever is not in the file costs the time of somebody who is, the first time too.
        nobodys, user = self._nobodys, self.find(name)
        try:
            self._hasher.verify(nobodys if user is None else user.password, password[:MAX_PASSWORD_CHARS])
        except (VerificationError, InvalidHashError):
            return None
        return user

    def find(self, name: str) -> User | None:
        """Return somebody by name; None where there is nobody of it."""
        return next((each for each in self.load() if each.name == name), None)

    def look_up(self, person: Principal, mark: str) -> Principal | None:
        """Return who somebody is now who has signed in; None if they may no more, or have another password since."""
        user = self.find(person.name)
        return user.principal if user is not None and user.mark == mark else None

    def load(self) -> tuple[User, ...]:
        """Return everybody, by name.

        Raises
        ------
        CommandError
            If others may read the file, or it cannot be read.
        """
        if not self._file.exists():
            return ()
        status = self._file.stat()
        # What is somebody else's, as a mounted secret is root's, is read by our group.
        forbidden = 0o077 if status.st_uid == os.geteuid() else 0o037
        if (mode := status.st_mode & 0o777) & forbidden:
            raise CommandError(f"{self._file} must be its owner's alone (mode 600), was {mode:o}")
        try:
            return _USERS.validate_json(self._file.read_bytes())
        except (OSError, ValidationError) as error:
            raise CommandError(f"{self._file} cannot be read: {type(error).__name__}") from None

    def add(self, name: str, role: str, groups: Sequence[str], password: str) -> None:
        """Let somebody sign in.

        Raises
        ------
        Misused
            If they may already, or a name, the role or the password is none.
        """
        for each in (name, *groups):
            if _NAME.fullmatch(each) is None:
                raise Misused(f"a name must match {NAME_PATTERN}, was {each!r}")
        if role not in ROLES:
            raise Misused(f"the role must be one of {', '.join(ROLES)}, was {role!r}")
        users = self.load()
        if any(user.name == name for user in users):
            raise Misused(f"{name} may sign in already: `users set-password` gives another password")
        self._store([*users, User(name, role, tuple(groups), self._hash(password))])

    def remove(self, name: str) -> None:
        """Let somebody sign in no more; their sessions end."""
        removed = self._get(name)
        self._store([user for user in self.load() if user != removed])

    def set_password(self, name: str, password: str) -> None:
        """Give somebody another password; their sessions end."""
        user = self._get(name)
        changed = User(user.name, user.role, user.groups, self._hash(password))
        self._store([changed if each.name == name else each for each in self.load()])

    def _get(self, name: str) -> User:
        if (user := self.find(name)) is not None:
            return user
        raise Misused(f"there is nobody called {name!r} in {self._file}")

    def _hash(self, password: str) -> str:
        if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
            raise Misused(
                f"a password must have {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters, was {len(password)}"
            )
        return self._hasher.hash(password)

    def _store(self, users: Sequence[User]) -> None:
        # It gets its name when it is complete: nobody is locked out by a kill in between.
        partial = self._file.with_name(f"{self._file.name}.partial")
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            json.dump([asdict(user) for user in sorted(users, key=lambda user: user.name)], opened, indent=2)
        partial.rename(self._file)
