"""Servers as processes of ours: started, watched, stopped, and found again after a kill of ours."""

import asyncio
import ctypes
import json
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from services.ops.hosting.embedded.account import Account
from services.ops.hosting.embedded.errors import EmbeddedStartFailed

_POLL_S = 0.02
_LOOK_S = 0.25
_LOG_TAIL_BYTES = 3_000
_PR_SET_PDEATHSIG = 1
_PROC = Path("/proc")  # macOS has none
_LIBC = ctypes.CDLL(None, use_errno=True)


def server_environment() -> dict[str, str]:
    """Return the environment of the servers: none of our settings and secrets, which `/proc` would show to others.

    Returns
    -------
    dict[str, str]
        A path, the C locale and UTC.
    """
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def start_mark(pid: int) -> str | None:
    """Return what tells this process from any other that ever had its pid.

    Parameters
    ----------
    pid : int
        The process.

    Returns
    -------
    str | None
        Its start, within this boot of the machine; None if it has ended (a zombie that nobody reaps has ended, too).
    """
    if _PROC.exists():
        try:
            # The name in the second field may hold anything but ends at the last parenthesis.
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return None if fields[0] in {"Z", "X"} else f"{boot} {fields[19]}"
    shown = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if not shown or shown[0].startswith("Z") else shown[1].strip()


def end_with_parent(parent: int, stop_signal: signal.Signals) -> Callable[[], None] | None:
    """Return what makes the kernel stop a child when we are killed, to be called in the child before it executes.

    Without it a `kill -9` of ours leaves servers behind. The signal is the one of a clean stop: Postgres writes its
    checkpoint, Kafka closes its log. Where there is no such call (macOS) the next start finds the orphan.

    Parameters
    ----------
    parent : int
        Our pid.
    stop_signal : signal.Signals
        What the kernel sends.

    Returns
    -------
    Callable[[], None] | None
        None where the kernel cannot do that.
    """
    if not hasattr(_LIBC, "prctl"):
        return None

    def bind() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # we were killed between the fork and the call above

    return bind


async def run_tool(name: str, command: Sequence[str], home: Path, *, account: Account | None = None) -> None:
    """Run a command to its end; it is killed when we don't wait for that.

    Parameters
    ----------
    name : str
        Names it in the error.
    command : Sequence[str]
        The executable and its arguments.
    home : Path
        The working directory.
    account : Account | None
        The account to run under; None for our own.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=home,
        env=server_environment(),
        start_new_session=True,
        preexec_fn=end_with_parent(os.getpid(), signal.SIGKILL),
        **(account.popen_arguments() if account else {}),
    )
    try:
        output, _ = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise EmbeddedStartFailed(name, f"code {process.returncode}", home, output.decode(errors="replace"))


class ServerProcess:
    """A server that we start, watch and stop, and that is found again when we were killed while it ran.

    Parameters
    ----------
    name : str
        Names the log and the pid file.
    home : Path
        The working directory, where both lie.
    stop_signals : tuple[signal.Signals, ...]
        From the friendliest on; SIGKILL comes after the last.
    account : Account | None
        The account to run under; None for our own.
    stop_within_s : float
        How long each stop signal is given.
    """

    def __init__(
        self,
        name: str,
        home: Path,
        *,
        stop_signals: tuple[signal.Signals, ...],
        account: Account | None = None,
        stop_within_s: float = 20.0,
    ) -> None:
        self._name = name
        self._home = home
        self._log = home / f"{name}.log"
        self._pid_file = home / f"{name}.pid"
        self._stop_signals = stop_signals
        self._account = account
        self._stop_within_s = stop_within_s
        self._process: subprocess.Popen[bytes] | None = None

    async def stop_orphan(self) -> int | None:
        """Stop the server that a killed process of ours left behind, if it still runs.

        Returns
        -------
        int | None
            The pid of the last start, if that was not stopped by us.
        """
        if not self._pid_file.exists():
            return None
        try:
            noted = json.loads(self._pid_file.read_text())
        except ValueError:
            noted = {"pid": 0, "started": None}  # we were killed while writing it: the kernel stops the child
        pid, started = int(noted["pid"]), noted["started"]
        if started is not None:
            await self._end(pid, ended=lambda: start_mark(pid) != started)
        self._pid_file.unlink()
        return pid

    async def start(self, command: Sequence[str], ready: Callable[[], Awaitable[bool]], *, within_s: float) -> None:
        """Start the server and return when it is ready; nothing is left running if that fails.

        Parameters
        ----------
        command : Sequence[str]
            The executable and its arguments.
        ready : Callable[[], Awaitable[bool]]
            Tells whether it serves.
        within_s : float
            How long it is given since it has last said anything in its log.
        """
        try:
            self._process = self._spawn(command)
            await self._wait_until(ready, self._process, within_s)
        except BaseException:
            await self.stop()
            raise

    async def ended(self) -> str:
        """Return when the server has ended by itself, and with which code."""
        assert self._process is not None, "must be started before it can end"  # noqa: S101
        while self._process.poll() is None:  # noqa: ASYNC110 - other processes end without an event
            await asyncio.sleep(_LOOK_S)
        return f"{self._name} ended with code {self._process.returncode}"

    async def stop(self) -> None:
        """Stop the server and return when it has ended. Harmless when it isn't running."""
        process = self._process
        if process is None:
            return
        await self._end(process.pid, ended=lambda: process.poll() is not None)
        self._pid_file.unlink(missing_ok=True)
        self._process = None

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        # Not through asyncio and never in a worker thread: the kernel ties the child to the thread that forks, and that
        # has to be the one of the event loop.
        with self._log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._home,
                env=server_environment(),
                umask=0o077,
                # Its own session: Ctrl-C in the terminal reaches us alone, and we stop the servers in order.
                start_new_session=True,
                preexec_fn=end_with_parent(os.getpid(), self._stop_signals[0]),  # noqa: PLW1509 - one call into libc
                **(self._account.popen_arguments() if self._account else {}),
            )
        self._pid_file.write_text(json.dumps({"pid": process.pid, "started": start_mark(process.pid)}))
        return process

    async def _wait_until(
        self, ready: Callable[[], Awaitable[bool]], process: subprocess.Popen[bytes], within_s: float
    ) -> None:
        loop, said = asyncio.get_running_loop(), self._log.stat().st_size
        try:
            async with asyncio.timeout(within_s) as limit:
                while not await ready():
                    if process.poll() is not None:
                        raise self._failure(f"it ended with code {process.returncode}")
                    # A recovery or a scan of a large log takes as long as it takes, and tells of it.
                    if (size := self._log.stat().st_size) > said:
                        said = size
                        limit.reschedule(loop.time() + within_s)
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise self._failure(f"it was not ready and said nothing for {within_s:g} s") from None

    def _failure(self, reason: str) -> EmbeddedStartFailed:
        tail = self._log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
        return EmbeddedStartFailed(self._name, reason, self._log, tail)

    async def _end(self, pid: int, *, ended: Callable[[], bool]) -> None:
        for stop_signal in (*self._stop_signals, signal.SIGKILL):
            if ended():
                return
            try:
                os.kill(pid, stop_signal)
                async with asyncio.timeout(self._stop_within_s):
                    while not ended():  # noqa: ASYNC110 - other processes end without an event
                        await asyncio.sleep(_POLL_S)
            except ProcessLookupError:
                return
            except TimeoutError:
                continue
