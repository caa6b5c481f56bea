"""The platform as a process of its own, for a command that needs one for a while."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from services.ops.data_directory import DataDirectory
from services.ops.errors import CommandError

_READY_WITHIN_S = 180.0
_STOPPED_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.1


@contextmanager
def platform_process(data_dir: DataDirectory, options: Sequence[str]) -> Iterator[None]:
    """Run `sigmasight up` on a free port while the block runs; it finds the platform by the data directory.

    Raises
    ------
    CommandError
        If it ends, or does not answer in time; what it said is on the terminal.
    """
    # For a while one process is faster than two that have to be started.
    where = ("--data-dir", str(data_dir.path), "--port", "0", "--workers", "1")
    command = (sys.executable, "-m", "services.ops", "up", *where, *options)
    # A killed platform leaves its address behind.
    data_dir.remove_endpoint()
    # Whoever runs it tells of its runs, and draws on the terminal meanwhile.
    process = subprocess.Popen(command, env={"LOG_LEVEL": "warning", **os.environ})  # noqa: S603
    try:
        _wait_until_ready(process, data_dir)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], data_dir: DataDirectory) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while data_dir.find_url() is None:
        if process.poll() is not None:
            raise CommandError(f"the platform ended with code {process.returncode}")
        if time.monotonic() > deadline:
            raise CommandError(f"the platform must answer within {_READY_WITHIN_S:.0f} s")
        time.sleep(_LOOK_EVERY_S)
