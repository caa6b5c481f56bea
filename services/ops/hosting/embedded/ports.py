"""Free ports of the loopback interface, the same ones at the next start."""

import os
import socket
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from services.ops.files import write_whole

# Below the range from which kernels take the local ports of outgoing connections (Linux 32768, macOS 49152): a port
# chosen here is not taken by somebody's client while the server is down.
_CANDIDATES = range(20_000, 32_000)
# Keeps successive pids far apart; has no divisor in common with the number of candidates.
_STRIDE = 3_133
_LAST_PORT = 65_535
_tried = count()


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of the loopback interface.

    Parameters
    ----------
    port : int
        The TCP port.

    Returns
    -------
    bool
        True if nobody listens on it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of the previous server in TIME_WAIT don't make the port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def remembered_port(memory: Path) -> int:
    """Return the port of the previous start, or a new one when there is none or somebody else has taken it.

    Parameters
    ----------
    memory : Path
        The file that remembers the port; written when a new one is chosen.

    Returns
    -------
    int
        A free port of the loopback interface.
    """
    port = _remembered(memory)
    if port is None or not is_free(port):
        port = next(filter(is_free, _candidates()))
        write_whole(memory, str(port))
    return port


def _remembered(memory: Path) -> int | None:
    # What a full disk or a crash of the machine has left of the file is no port.
    said = memory.read_text().strip() if memory.exists() else ""
    return int(said) if said.isdecimal() and 0 < int(said) <= _LAST_PORT else None


def _candidates() -> Iterator[int]:
    # Each process begins elsewhere and tries no port twice: a chosen port stays free until its server listens.
    first = os.getpid() * _STRIDE
    for number in islice(_tried, len(_CANDIDATES)):
        yield _CANDIDATES[(first + number) % len(_CANDIDATES)]
