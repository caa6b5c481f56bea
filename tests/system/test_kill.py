"""Killing what runs the platform, in the middle of its work: nothing is lost, nothing is computed twice."""

import json
import os
import re
import signal
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from services.ops.hosting.embedded.brokers import choose_broker
from services.ops.hosting.embedded.kafka import EmbeddedKafka
from services.ops.hosting.embedded.postgres import EmbeddedPostgres
from tests.support.digests import Digest, digest_results
from tests.support.eventually import eventually
from tests.support.hold import without_an_end
from tests.support.hosted import Up
from tests.support.platform import Json
from tests.support.stack import wanted_broker
from tests.system.month import MONTH, data_directory, import_portfolios

pytestmark = pytest.mark.skipif(
    wanted_broker() == "testcontainers", reason="needs a broker that `up` runs, or that we may kill"
)


async def ended(up: Up, run_id: str) -> Json:
    async with up.api() as api:
        return await api.ended(run_id)


async def open_month(up: Up) -> str:
    async with up.api() as api:
        opened = await api.post("/runs", MONTH)
    run_id: str = opened["run"]["run_id"]
    return run_id


async def parts_done(database_url: str, run_id: str, *, at_least: int) -> None:
    """Wait until the ledger shows that many parts of a run."""
    connection = await asyncpg.connect(database_url)
    try:

        async def look() -> bool:
            query = "SELECT count(*) >= $2 FROM scheduler.run_parts WHERE run_id = $1"
            return bool(await connection.fetchval(query, UUID(run_id), at_least))

        await eventually(look)
    finally:
        await connection.close()


async def is_active(database_url: str, run_id: str) -> bool:
    connection = await asyncpg.connect(database_url)
    try:
        status = await connection.fetchval("SELECT status FROM scheduler.runs WHERE run_id = $1", UUID(run_id))
    finally:
        await connection.close()
    return status in {None, "active"}


async def killed_after(up: Up, run_id: str, *, parts: int) -> bool:
    """Kill `up` when a run has come so far, and tell whether the run was under way."""
    await parts_done(up.database_url, run_id, at_least=parts)
    active = await is_active(up.database_url, run_id)
    up.kill()
    return active


def pid_of(up: Up, server: str) -> int:
    elsewhere = up.data_dir / "postgres.home"
    home = Path(elsewhere.read_text()) if server == "postgres" and elsewhere.exists() else up.data_dir / server
    pid: int = json.loads((home / f"{server}.pid").read_text())["pid"]
    return pid


async def killed_and_started_again(up: Up, server: str) -> None:
    """Kill a server below `up`, and wait until everybody works with the next one."""
    killed = pid_of(up, server)
    os.kill(killed, signal.SIGKILL)

    async def works() -> bool:
        async with up.api() as api:
            ready = await api.client.get(f"{up.url}/health/ready")
        return ready.is_success and pid_of(up, server) != killed

    await eventually(works)


@pytest.mark.slow
async def test_servers_that_are_killed_are_started_again_and_the_runs_under_way_end_as_ever(
    undisturbed: dict[str, Digest],
) -> None:
    with data_directory() as directory:
        up = Up(directory, ["--broker", wanted_broker(), "--providers", "sample"])
        try:
            await up.start()
            async with without_an_end(up.database_url):
                onboarding = await import_portfolios(up)
                await parts_done(up.database_url, onboarding[-1], at_least=1)
                await killed_and_started_again(up, wanted_broker())
            for run_id in onboarding:
                assert (await ended(up, run_id))["status"] == "completed"
            month = await open_month(up)
            await parts_done(up.database_url, month, at_least=1)
            await killed_and_started_again(up, "postgres")
            assert (await ended(up, month))["status"] == "completed"
            assert await digest_results(up.database_url) == undisturbed
        finally:
            up.stop()


@pytest.mark.slow
async def test_up_killed_at_several_moments_of_a_run_ends_with_the_results_of_an_undisturbed_one(
    undisturbed: dict[str, Digest],
) -> None:
    under_way = []
    with data_directory() as directory:
        up = Up(directory, ["--broker", wanted_broker(), "--providers", "sample"])
        try:
            await up.start()
            async with without_an_end(up.database_url):
                onboarding = await import_portfolios(up)
                under_way.append(await killed_after(up, onboarding[-1], parts=1))
                await up.start()
            for run_id in onboarding:
                assert (await ended(up, run_id))["status"] == "completed"

            async with without_an_end(up.database_url):
                run_id = await open_month(up)
                for parts in (1, 4):
                    under_way.append(await killed_after(up, run_id, parts=parts))
                    await up.start()
            assert (await ended(up, run_id))["status"] == "completed"
            disturbed = await digest_results(up.database_url)
        finally:
            up.stop()

    assert disturbed == undisturbed
    assert under_way == [True, True, True], "the kills must hit runs that are under way"


@pytest.mark.slow
async def test_two_processes_one_of_which_is_killed_end_with_the_results_of_one(
    undisturbed: dict[str, Digest],
) -> None:
    with data_directory() as directory:
        up = Up(directory, ["--broker", wanted_broker(), "--providers", "sample", "--workers", "2"])
        try:
            await up.start()
            await eventually(partial(_is_ready, up))
            for run_id in await import_portfolios(up):
                assert (await ended(up, run_id))["status"] == "completed"
            assert min([await _processed(up.url_of_worker(number)) for number in (1, 2)]) > 0, "both have worked"
            assert await _processed(up.url) == 0, "the one with the port answers, and does nothing else"
            assert _niceness(_workers_of(up)[-1]) > _niceness(os.getpid()), "and goes before the work"
            async with without_an_end(up.database_url):
                run_id = await open_month(up)
                await parts_done(up.database_url, run_id, at_least=1)
                os.kill(_workers_of(up)[-1], signal.SIGKILL)
                # How it has ended is said for half a second, then that its successor does not answer yet.
                assert re.search(r"process \d (ended with code -9|does not answer)", await _not_ready(up))
                assert await is_active(up.database_url, run_id)
            assert (await ended(up, run_id))["status"] == "completed"
            await eventually(partial(_is_ready, up))
            disturbed = await digest_results(up.database_url)
            workers, said = _workers_of(up), up.log.read_text()
        finally:
            up.stop()
    assert disturbed == undisturbed
    assert len(workers) == 3, "the one that was killed has a successor"
    assert re.findall(r"worker ended.* code=(\S+)", said) == ["-9"]


@pytest.mark.broker
@pytest.mark.skipif(wanted_broker() != "kafka", reason="several processes share their work on Kafka")
async def test_process_frozen_until_its_groups_have_left_it_and_continued_changes_no_result(
    undisturbed: dict[str, Digest],
) -> None:
    with data_directory() as directory:
        up = Up(directory, ["--broker", "kafka", "--providers", "sample", "--workers", "2"])
        try:
            await up.start()
            await eventually(partial(_is_ready, up))
            for run_id in await import_portfolios(up):
                assert (await ended(up, run_id))["status"] == "completed"
            async with without_an_end(up.database_url):
                run_id = await open_month(up)
                await parts_done(up.database_url, run_id, at_least=1)
                *_, worker = workers = _workers_of(up)
                assert await _members(up) == 2
                os.kill(worker, signal.SIGSTOP)
                await eventually(partial(_has_members, up, 1))
                os.kill(worker, signal.SIGCONT)
                await eventually(partial(_has_members, up, 2))
                assert await is_active(up.database_url, run_id)
            assert (await ended(up, run_id))["status"] == "completed"
            await eventually(partial(_is_ready, up))
            assert _workers_of(up) == workers, "nobody has started another one"
            disturbed = await digest_results(up.database_url)
        finally:
            up.stop()
    assert disturbed == undisturbed


async def _has_members(up: Up, count: int) -> bool:
    return await _members(up) == count


async def _members(up: Up) -> int:
    """Return how many processes share the assessments, as the broker has it."""
    broker = json.loads((up.data_dir / "servers.json").read_text())["bootstrap_servers"]
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        [answer] = await admin.describe_consumer_groups(["risk.assess_portfolios"])
        [(_, _, _, _, _, members, *_)] = answer.groups
    finally:
        await admin.close()
    return len(members)


@pytest.mark.broker
@pytest.mark.skipif(wanted_broker() != "kafka", reason="Tansu keeps its log in memory: `up` is started again instead")
async def test_broker_killed_in_the_middle_of_a_run_and_started_again_changes_no_result(
    undisturbed: dict[str, Digest],
) -> None:
    jars = choose_broker("kafka").jars
    assert jars is not None
    with data_directory() as directory:
        kafka = EmbeddedKafka(directory, jars)
        async with EmbeddedPostgres(directory) as postgres:
            await kafka.start()
            servers = ["--bootstrap-servers", kafka.bootstrap_servers, "--database-url", postgres.url]
            secret = {"SERVICE_DATABASE_PASSWORD": "of-the-kill-test"}
            up = Up(directory / "up", [*servers, "--providers", "sample"], secret)
            try:
                await up.start()
                for run_id in await import_portfolios(up):
                    await ended(up, run_id)
                async with without_an_end(postgres.url):
                    run_id = await open_month(up)
                    await parts_done(postgres.url, run_id, at_least=1)
                    os.kill(_pid_of(directory / "kafka" / "kafka.pid"), signal.SIGKILL)
                    assert await is_active(postgres.url, run_id)
                await kafka.stop()
                assert "risk has no broker" in await _not_ready(up)
                await kafka.start()

                assert (await ended(up, run_id))["status"] == "completed"
                disturbed = await digest_results(postgres.url)
            finally:
                up.stop()
                await kafka.stop()
    assert disturbed == undisturbed


async def _not_ready(up: Up) -> str:
    async with up.api() as api:

        async def refused() -> str | None:
            answer = await api.client.get(api.client.base_url.copy_with(path="/health/ready"))
            return str(answer.json()["detail"]) if answer.status_code == 503 else None

        return await eventually(refused) or ""


async def _is_ready(up: Up) -> bool:
    async with up.api() as api:
        return (await api.client.get(api.client.base_url.copy_with(path="/health/ready"))).is_success


def _niceness(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


def _workers_of(up: Up) -> list[int]:
    """Return which processes have worked beside the one with the port, as it has told."""
    return [int(pid) for pid in re.findall(r"worker begins.* pid=(\d+)", up.log.read_text())]


async def _processed(url: str) -> float:
    """Return how many messages a process has processed."""
    async with httpx.AsyncClient() as client:
        told = (await client.get(f"{url}/metrics")).text
    return sum(float(count) for count in re.findall(r'^sigmasight_events_total\{.*"processed".*\} (.*)$', told, re.M))


def _pid_of(file: Path) -> int:
    return int(json.loads(file.read_text())["pid"])
