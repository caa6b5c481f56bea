"""What the operating system says about processes."""

import subprocess
from collections.abc import Sequence

import psutil  # type: ignore[import-untyped]

from services.ops.hosting.embedded.account import Account


def running_as(account: Account | None, *command: str) -> subprocess.Popen[bytes]:
    """Start a process under an account."""
    return subprocess.Popen(command, cwd="/", **(account.popen_arguments() if account else {}))


def owner(pid: int) -> int:
    """The user a process runs as."""
    return int(psutil.Process(pid).uids().real)


def executable(pid: int) -> str:
    """What a process executes."""
    return str(psutil.Process(pid).exe())


def environment(pid: int) -> dict[str, str]:
    """The environment a process was started with."""
    return dict(psutil.Process(pid).environ())


def servers_of(pid: int) -> list[int]:
    """The processes that a process has started, and theirs, some of which come and go: one for each connection."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def children_of(pid: int) -> list[int]:
    """The servers that a process has started: they run until they are stopped."""
    return [child.pid for child in psutil.Process(pid).children()]


def still_running(pids: Sequence[int]) -> list[int]:
    """Those of the processes that have not ended; one that nobody has reaped has ended."""
    return [pid for pid in pids if _runs(pid)]


def _runs(pid: int) -> bool:
    # Asked once: between two questions the process may end.
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
