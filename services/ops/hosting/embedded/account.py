"""The account that PostgreSQL runs under when root has started us."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from services.ops.hosting.embedded.errors import EmbeddedUnavailable

_UNPRIVILEGED = "nobody"


class PopenArguments(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that change the account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine that a server runs under."""

    uid: int
    gid: int

    def popen_arguments(self) -> PopenArguments:
        """Return what makes `subprocess.Popen` change to this account.

        Returns
        -------
        PopenArguments
            User, group and no other groups.
        """
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Make the account the owner of a file or directory.

        Parameters
        ----------
        path : Path
            What to hand over.
        """
        os.chown(path, self.uid, self.gid)

    def reaches(self, directory: Path) -> bool:
        """Tell whether the account gets into a directory that belongs to root.

        Parameters
        ----------
        directory : Path
            An existing directory.

        Returns
        -------
        bool
            True if it and every directory above it may be entered by anybody.
        """
        resolved = directory.resolve()
        return all(step.stat().st_mode & stat.S_IXOTH for step in (resolved, *resolved.parents))


def postgres_account() -> Account | None:
    """Return the account PostgreSQL has to run under, since it refuses to run as root.

    Returns
    -------
    Account | None
        None when we aren't root and it runs under our own; else the machine's `nobody`, so that none is created.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        raise EmbeddedUnavailable(
            f"PostgreSQL refuses to run as root and there is no account {_UNPRIVILEGED!r} to run it under; "
            "start as an ordinary user, or use --database-url"
        ) from None
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)
