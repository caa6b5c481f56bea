"""What the processes of a platform have used so far: this one, those that share its work, the database, the broker."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_KINDS: Final = {"postgres": "postgres", "java": "broker", "tansu": "broker"}


def cpu_seconds() -> Mapping[str, float]:
    """Return the processor seconds of this process, its workers, postgres and the broker since each of them began."""
    used: defaultdict[str, float] = defaultdict(float)
    for pid in _ours():
        used[_kind(pid)] += sum(map(int, _fields(pid)[11:15])) / _TICKS_PER_S  # its own, and of children that ended
    # Of ours those have been counted where they belong.
    used["python"] -= sum(os.times()[2:4])
    return used


def peak_rss_mib() -> float:
    """Return the largest resident sizes that the Python processes have had, together, in MiB."""
    return _python_mib("VmHWM:")


def rss_mib() -> float:
    """Return the resident sizes of the Python processes now, together, in MiB."""
    return _python_mib("VmRSS:")


def _python_mib(field: str) -> float:
    return sum(_kib(pid, field) for pid in _ours() if _kind(pid) in {"python", "worker"}) / 1024.0


def _ours() -> Iterator[int]:
    """Yield this process and those below it."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _fields(int(entry.name))):
            children[int(fields[1])].append(int(entry.name))
    waiting = [os.getpid()]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children[pid]


def _fields(pid: int) -> list[str]:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _kind(pid: int) -> str:
    if pid == os.getpid():
        return "python"
    return _KINDS.get((_PROC / str(pid) / "comm").read_text().strip(), "worker")


def _kib(pid: int, field: str) -> int:
    status = (_PROC / str(pid) / "status").read_text()
    return int(status.partition(field)[2].split()[0])
