"""PostgreSQL as a server of ours."""

import os
import secrets
import shutil
import signal
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from services.ops.files import write_whole
from services.ops.hosting.embedded.account import Account, postgres_account
from services.ops.hosting.embedded.errors import EmbeddedUnavailable
from services.ops.hosting.embedded.lock import DataDirectoryLock
from services.ops.hosting.embedded.ports import remembered_port
from services.ops.hosting.embedded.postgres_binaries import SHARED_STATE, PostgresBinaries, find_binaries
from services.ops.hosting.embedded.process import ServerProcess, run_tool, start_mark

_ROLE = "postgres"
_READY_WITHIN_S = 60.0  # crash recovery included
_MIB = 1024 * 1024


class EmbeddedPostgres:
    """PostgreSQL from the wheel, on a loopback port, with its data below a directory of ours.

    It runs under our own account; started by root it runs as `nobody`, and where `nobody` does not get into the data
    directory, its files are put below `/var/lib/sigmasight` and the data directory keeps the way there.

    Parameters
    ----------
    data_dir : Path
        The data directory. What an earlier start has stored there is found again.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.absolute()
        self._held = ExitStack()
        self._process: ServerProcess | None = None
        self._url: str | None = None
        self._version: str | None = None
        self._home: Path | None = None

    @property
    def home(self) -> Path:
        """Where its files are."""
        assert self._home is not None, "must be started before it has a home"  # noqa: S101
        return self._home

    @property
    def url(self) -> str:
        """The address of the `postgres` database for the administrator role."""
        assert self._url is not None, "must be started before it has an address"  # noqa: S101
        return self._url

    @property
    def version(self) -> str:
        """PostgreSQL's version."""
        assert self._version is not None, "must be started before its version is known"  # noqa: S101
        return self._version

    async def start(self) -> None:
        """Start the server and return when it takes connections."""
        account = postgres_account()
        home = _prepare_home(self._data_dir, account)
        self._held.enter_context(DataDirectoryLock(home))
        try:
            await self._start(home, account)
        except BaseException:
            self._held.close()
            raise

    async def ended(self) -> str:
        """Return when the server has ended by itself, and how."""
        assert self._process is not None, "must be started before it can end"  # noqa: S101
        return await self._process.ended()

    async def stop(self) -> None:
        """Stop the server: open transactions are rolled back, a checkpoint is written. Harmless when not running."""
        if self._process is not None:
            await self._process.stop()
            self._process = None
        self._held.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start(self, home: Path, account: Account | None) -> None:
        data = home / "data"
        written_by = data / "PG_VERSION"
        binaries = find_binaries(account, major=written_by.read_text().strip() if written_by.exists() else None)
        if not data.exists():
            await _initialise(home, binaries, account)
        # Fast shutdown, then immediate shutdown.
        process = ServerProcess("postgres", home, stop_signals=(signal.SIGINT, signal.SIGQUIT), account=account)
        self._process = process
        _forget_recycled_pid(data / "postmaster.pid", await process.stop_orphan())
        port = remembered_port(home / "port")
        url = f"postgresql://{_ROLE}:{(home / 'password').read_text()}@127.0.0.1:{port}/postgres"
        command = (str(binaries.directory / "postgres"), "-D", str(data), *_settings(port))
        await process.start(command, lambda: _takes_connections(url), within_s=_READY_WITHIN_S)
        self._url, self._version, self._home = url, binaries.version, home


def _prepare_home(data_dir: Path, account: Account | None) -> Path:
    """Return the directory of everything of this server, one its account gets into."""
    home, elsewhere = data_dir / "postgres", data_dir / "postgres.home"
    if account is None:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return home
    data_dir.mkdir(parents=True, exist_ok=True)
    _let_pass(data_dir)
    if elsewhere.exists():
        home = Path(elsewhere.read_text())
        if not home.exists():
            raise EmbeddedUnavailable(f"the data of {data_dir} must be in {home}, which is gone; remove {elsewhere}")
    elif account.reaches(data_dir):
        home.mkdir(exist_ok=True)
    elif home.exists():
        raise EmbeddedUnavailable(f"started by root, PostgreSQL runs as user {account.uid}, who must reach {home}")
    else:
        home = SHARED_STATE / secrets.token_hex(8)
        home.mkdir(parents=True)
        write_whole(elsewhere, str(home))
    _let_pass(home)
    return home


def _let_pass(directory: Path) -> None:
    directory.chmod(directory.stat().st_mode | 0o011)


async def _initialise(home: Path, binaries: PostgresBinaries, account: Account | None) -> None:
    """Make the cluster; it gets its name when it is complete, so that a killed start leaves nothing half done."""
    password, partial = home / "password", home / "data.partial"
    password.unlink(missing_ok=True)
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24))
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    if account is not None:
        account.own(password)
        account.own(partial)
    command = (
        *(str(binaries.directory / "initdb"), "--pgdata", str(partial), "--username", _ROLE),
        *("--pwfile", str(password), "--auth", "scram-sha-256"),
        # One collation on every machine: that of the code points.
        *("--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
    )
    await run_tool("initdb", command, home, account=account)
    partial.rename(home / "data")


def _forget_recycled_pid(postmaster_pid: Path, ended: int | None) -> None:
    """Remove a killed server's lock where Postgres would not: empty, or with a pid that another process has got."""
    if not postmaster_pid.exists():
        return
    said = postmaster_pid.read_text().split(maxsplit=1)
    if not said or (said[0] == str(ended) and start_mark(int(said[0])) is not None):
        postmaster_pid.unlink()


def _settings(port: int) -> list[str]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MIB
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
        "timezone": "UTC",
        "log_timezone": "UTC",
        "shared_buffers": f"{min(max(memory // 16, 64), 512)}MB",
        "effective_cache_size": f"{max(memory // 4, 128)}MB",
        "maintenance_work_mem": "128MB",
        "work_mem": "16MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        # After a checkpoint pages go to the log whole; pglz, which alone is there, takes 1.4 s for those of 5,000 bars.
        "wal_compression": "off",
        "random_page_cost": 1.1,
        "jit": "off",
        # The results survive a crash of the machine: an acknowledged commit is on the disk.
        "synchronous_commit": "on",
    }
    return [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]


async def _takes_connections(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, ssl=False, timeout=5)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
        # The last: it ends while it takes one, and its log says why.
        return False
    await connection.close()
    return True
