import asyncio
import json
import os
import pwd
import shutil
import signal
import sys
import sysconfig
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.ops.hosting.embedded.brokers import BrokerKind
from services.ops.hosting.embedded.errors import DataDirectoryInUse, EmbeddedStartFailed, EmbeddedUnavailable
from services.ops.hosting.embedded.kafka_jars import find_kafka, jars_directory
from services.ops.hosting.embedded.stack import EmbeddedStack, RunningStack
from services.ops.hosting.embedded.tansu import EmbeddedTansu
from tests.integration.ops.processes import children_of, environment, owner, servers_of, still_running
from tests.support.eventually import eventually

_REPOSITORY = Path(__file__).parents[3]
_TOPIC = "kept"


def _kafka_is_here() -> bool:
    try:
        find_kafka(jars_directory())
    except EmbeddedUnavailable:
        return False
    return True


needs_kafka = pytest.mark.skipif(not _kafka_is_here(), reason="needs Java and `make kafka`")
# Kafka's jars come with its lane, in a clean checkout: there these run again.
EITHER_BROKER = ["tansu", pytest.param("kafka", marks=(needs_kafka, pytest.mark.broker))]


@asynccontextmanager
async def _stack_process(
    data_dir: Path,
    broker: str,
    *options: str,
    python: Sequence[str] = (sys.executable,),
    variables: Mapping[str, str] | None = None,
    **account: Any,
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    process = await asyncio.create_subprocess_exec(
        *(*python, "-m", "tests.integration.ops.stack_process", str(data_dir), broker, *options),
        stdout=asyncio.subprocess.PIPE,
        cwd=_REPOSITORY,
        env=variables,
        **account,
    )
    assert process.stdout is not None
    try:
        yield process, json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _store_row(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    await connection.close()


async def _stored_row(url: str) -> object:
    connection = await asyncpg.connect(url)
    value: object = await connection.fetchval("SELECT value FROM kept")
    await connection.close()
    return value


async def _store_record(bootstrap_servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(_TOPIC, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(_TOPIC, b"7")


async def _stored_record(bootstrap_servers: str) -> object:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(_TOPIC, 0)])
        return (await consumer.getone()).value


async def _topics(stack: RunningStack) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap_servers)
    await admin.start()
    topics: list[str] = await admin.list_topics()
    await admin.close()
    return topics


async def test_stack_on_tansu_second_start_keeps_rows_and_forgets_log(data_dir: Path) -> None:
    async with EmbeddedStack(data_dir, broker="tansu") as first:
        await _store_row(first.database_url)
        await _store_record(first.bootstrap_servers)
        assert first.log_is_new

    async with EmbeddedStack(data_dir, broker="tansu") as second:
        assert second == first
        assert await _stored_row(second.database_url) == 7
        assert _TOPIC not in await _topics(second)


@needs_kafka
@pytest.mark.broker
async def test_stack_on_kafka_second_start_keeps_rows_and_log_on_same_port(data_dir: Path) -> None:
    async with EmbeddedStack(data_dir, broker="kafka") as first:
        await _store_row(first.database_url)
        await _store_record(first.bootstrap_servers)
        assert first.log_is_new

    async with EmbeddedStack(data_dir, broker="kafka") as second:
        assert not second.log_is_new
        assert second.bootstrap_servers == first.bootstrap_servers
        assert await _stored_row(second.database_url) == 7
        assert await _stored_record(second.bootstrap_servers) == b"7"


@needs_kafka
@pytest.mark.broker
async def test_stack_back_on_kafka_after_tansu_served_calls_its_log_new(data_dir: Path) -> None:
    for broker, log_is_new in (("kafka", True), ("tansu", True), ("kafka", True), ("kafka", False)):
        chosen: BrokerKind = "kafka" if broker == "kafka" else "tansu"
        async with EmbeddedStack(data_dir, broker=chosen) as stack:
            assert stack.log_is_new is log_is_new


@pytest.mark.parametrize("broker", EITHER_BROKER)
async def test_stack_whose_process_is_killed_starts_again_with_its_data(data_dir: Path, broker: BrokerKind) -> None:
    async with _stack_process(data_dir, broker) as (process, stack):
        await _store_row(stack["database_url"])
        await _store_record(stack["bootstrap_servers"])
        servers = servers_of(process.pid)
        process.kill()
        await process.wait()

    async with EmbeddedStack(data_dir, broker=broker) as second:
        assert not still_running(servers)
        assert second.database_url == stack["database_url"]
        assert await _stored_row(second.database_url) == 7
        if broker == "kafka":
            assert await _stored_record(second.bootstrap_servers) == b"7"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
async def test_stack_whose_process_is_killed_leaves_no_servers(data_dir: Path) -> None:
    async with _stack_process(data_dir, "tansu") as (process, _):
        servers = servers_of(process.pid)
        process.kill()
        await process.wait()

    async def ended() -> bool:
        return not still_running(servers)

    await eventually(ended)
    assert len(servers) > 2


@pytest.mark.parametrize("broker", EITHER_BROKER)
async def test_stack_whose_servers_outlive_its_process_stops_them_and_starts(
    data_dir: Path, broker: BrokerKind
) -> None:
    async with _stack_process(data_dir, broker, "untied") as (process, stack):
        await _store_row(stack["database_url"])
        servers, every = children_of(process.pid), servers_of(process.pid)
        process.kill()
        await process.wait()
    assert still_running(servers) == servers

    async with EmbeddedStack(data_dir, broker=broker) as second:
        assert not still_running(every)
        assert second.bootstrap_servers == stack["bootstrap_servers"]
        assert await _stored_row(second.database_url) == 7


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("broker", EITHER_BROKER)
async def test_stack_told_to_stop_leaves_no_process(data_dir: Path, broker: str, stop_signal: signal.Signals) -> None:
    async with _stack_process(data_dir, broker) as (process, _):
        servers = servers_of(process.pid)
        assert len(servers) > 2
        process.send_signal(stop_signal)
        await process.wait()

        assert process.returncode == 0
        assert not still_running(servers)


async def test_stack_servers_do_not_hear_the_terminal_nor_see_our_settings(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGMASIGHT_SECRET", "hidden")
    async with _stack_process(data_dir, "tansu", start_new_session=True) as (process, _):
        servers = children_of(process.pid)

        # Ctrl-C goes to the process group.
        assert process.pid not in {os.getpgid(server) for server in servers}
        assert not any("SIGMASIGHT_SECRET" in environment(server) for server in servers)


async def test_stack_of_directory_in_use_names_the_holder(data_dir: Path) -> None:
    async with _stack_process(data_dir, "tansu") as (process, stack):
        with pytest.raises(DataDirectoryInUse, match=str(process.pid)):
            await EmbeddedStack(data_dir, broker="tansu").__aenter__()
        await _store_row(stack["database_url"])  # the first is not disturbed


async def test_stack_whose_broker_fails_stops_postgres_and_shows_the_log(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running_before = children_of(os.getpid())

    async def postgres_starts() -> bool:
        return children_of(os.getpid()) != running_before

    async def ends_at_once(self: EmbeddedTansu) -> None:
        await eventually(postgres_starts)
        raise EmbeddedStartFailed("tansu", "it ended with code 1", data_dir, "no memory left")

    monkeypatch.setattr(EmbeddedTansu, "start", ends_at_once)
    with pytest.raises(EmbeddedStartFailed, match="no memory left"):
        await EmbeddedStack(data_dir, broker="tansu").__aenter__()
    monkeypatch.undo()

    assert children_of(os.getpid()) == running_before
    async with EmbeddedStack(data_dir, broker="tansu") as stack:
        await _store_row(stack.database_url)


async def test_stack_started_by_root_can_be_run_by_nobody_too(reachable: Path) -> None:
    python = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path="/usr/local/bin:/usr/bin")
    if os.geteuid() != 0 or python is None:
        pytest.skip("needs root, and a Python of this version that everybody gets at")
    nobody = pwd.getpwnam("nobody")
    data_dir = reachable / "data"
    data_dir.mkdir()
    os.chown(data_dir, nobody.pw_uid, nobody.pw_gid)
    search_path = f"{_REPOSITORY}:{sysconfig.get_path('platlib')}"

    async with _stack_process(
        data_dir,
        "tansu",
        python=(python, "-B"),
        variables={"PYTHONPATH": search_path},
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
    ) as (process, stack):
        await _store_row(stack["database_url"])
        assert {owner(server) for server in children_of(process.pid)} == {nobody.pw_uid}
