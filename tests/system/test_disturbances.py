"""Messages in no order, a broker that is away, a disk that is slow, a database that hangs: results are what they are.

What else is broken, and where, is said in `test_chaos`.
"""

import asyncio
import logging
import os
import random
import signal
from datetime import timedelta
from functools import partial
from typing import Final

import asyncpg
import httpx
import pytest

from services.ops.hosting.server import url_of
from shared.contracts.services import SERVICES
from tests.support.digests import Digest
from tests.support.eventually import eventually
from tests.support.life import Conditions
from tests.support.stack import Servers, run_postgres, wanted_broker
from tests.system.disorder import COPIES, all_is_heard, disorder
from tests.system.disturbed import SEEDS, Disturbed, disturbed_platform

log = logging.getLogger(__name__)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(wanted_broker() == "testcontainers", reason="needs a broker that is stopped and started"),
]

# Thirty milliseconds for what a commit writes, where an old disk takes five. Reads cannot be slowed without root.
SLOW: Final = ("ALTER SYSTEM SET fsync = on", "ALTER SYSTEM SET commit_delay = 30000", "SELECT pg_reload_conf()")
SLOW_FOR_ALL: Final = "ALTER SYSTEM SET commit_siblings = 0"
WENT_ON_TOGETHER: Final = """
    SELECT count(*) FROM scheduler.runs earlier JOIN scheduler.runs later
        ON earlier.last_session < later.first_session AND later.requested_at < earlier.finished_at
"""
FETCHED_APART: Final = "SELECT max(fetched_at) - min(fetched_at) FROM market_data.bars"
# Of five services, with their threads: what they load later, a panel of prices, and what they have in hand.
SPARE_MIB: Final = 256
INTERRUPTIONS: Final = 15  # of a relay, each of half a second: groups keep their members for six


@pytest.mark.parametrize("seed", SEEDS)
async def test_messages_that_come_ten_times_late_and_in_no_order_change_no_result(
    postgres: Servers, undisturbed: dict[str, Digest], seed: int
) -> None:
    async with (
        disturbed_platform(postgres) as platform,
        disorder(platform, random.Random(seed)) as relays,  # noqa: S311 - draws an order
    ):
        platform.begin(*SERVICES)
        await platform.month()
        await all_is_heard(relays, platform)
        await platform.stop()
        digests = await platform.digests()
        announced = sum(
            [await platform.administrator.fetchval(f"SELECT count(*) FROM {name}.outbox") for name in SERVICES]
        )

    sent = sum(relay.sent for relay in relays)
    log.info("seed %d: %d copies of %d messages", seed, sent, announced)
    assert sent >= COPIES * announced
    assert digests == undisturbed


async def test_broker_that_is_away_for_long_keeps_nobody_from_entering_and_changes_no_result(
    postgres: Servers, undisturbed: dict[str, Digest]
) -> None:
    async with disturbed_platform(postgres) as platform:
        platform.begin(*SERVICES)
        await eventually(partial(is_ready, platform))
        async with asyncio.TaskGroup() as going_on:
            async with platform.broker_away():
                month = going_on.create_task(platform.month())
                await long_away(platform)
                waiting = await platform.administrator.fetchval(
                    "SELECT count(*) FROM portfolio.outbox WHERE published_at IS NULL"
                )
                assert waiting == 1, "what was entered waits in the outbox"
            await eventually(partial(has_runs, platform, 5))
            async with platform.broker_away():
                await have_sent_again(platform)
                await long_away(platform)
                assert not month.done()
        await platform.stop()
        digests = await platform.digests()
    assert digests == undisturbed


async def test_runs_that_begin_while_those_before_go_on_change_no_result(
    postgres: Servers, undisturbed: dict[str, Digest]
) -> None:
    async with disturbed_platform(postgres) as platform:
        for name in SERVICES:
            platform.begin(name)
        await platform.month(at_once=True)
        went_on = await platform.administrator.fetchval(WENT_ON_TOGETHER)
        await platform.stop()
        # A later run values and assesses what a portfolio lacks, and may know less of those sessions' betas than the
        # run over them will: what it stored is then superseded.
        digests = await platform.digests(newest=True)
    log.info("%d pairs of runs went on together", went_on)
    assert went_on > 0
    assert digests == undisturbed


async def test_clocks_that_jump_by_an_hour_at_every_look_change_no_result(
    postgres: Servers, undisturbed: dict[str, Digest]
) -> None:
    async with disturbed_platform(postgres) as platform:
        for seed, name in enumerate(SERVICES):
            platform.begin(name, conditions=Conditions(clock_jumps=seed))
        await platform.month()
        apart = await platform.administrator.fetchval(FETCHED_APART)
        await platform.stop()
        digests = await platform.digests()
    assert apart > timedelta(hours=1), "clocks have jumped"
    assert digests == undisturbed


async def test_month_with_every_message_ten_times_fits_into_little_memory(
    postgres: Servers, undisturbed: dict[str, Digest]
) -> None:
    async with (
        disturbed_platform(postgres) as platform,
        disorder(platform, random.Random(0)) as relays,  # noqa: S311 - draws an order
    ):
        life = platform.begin(*SERVICES, conditions=Conditions(spare_mib=SPARE_MIB))
        await platform.month()
        await all_is_heard(relays, platform)
        assert not life.has_ended
        await platform.stop()
        digests = await platform.digests()
    assert digests == undisturbed


async def test_disk_that_is_slow_changes_no_result(undisturbed: dict[str, Digest]) -> None:
    async with run_postgres() as postgres:
        connection = await asyncpg.connect(postgres.database_url)
        for statement in (SLOW_FOR_ALL, *SLOW):
            await connection.execute(statement)
        await connection.close()
        async with disturbed_platform(postgres) as platform:
            shown = [await platform.administrator.fetchval(f"SHOW {name}") for name in ("fsync", "commit_delay")]
            assert shown == ["on", "30000"]
            platform.begin(*SERVICES)
            await platform.month()
            await platform.stop()
            digests = await platform.digests()
    assert digests == undisturbed


async def test_database_that_hangs_until_all_have_missed_it_changes_no_result(
    undisturbed: dict[str, Digest],
) -> None:
    async with run_postgres() as postgres, disturbed_platform(postgres) as platform:
        platform.begin(*SERVICES)
        async with asyncio.TaskGroup() as going_on:
            month = going_on.create_task(platform.month())
            for runs in (2, 5, 7):
                await eventually(partial(has_runs, platform, runs))
                hanging = await backends(platform)
                tell(hanging, signal.SIGSTOP)
                try:
                    said = await eventually(partial(not_ready, platform))
                finally:
                    tell(hanging, signal.SIGCONT)
                assert said is not None
                assert "database" in said
            await month
        await platform.stop()
        digests = await platform.digests()
    assert digests == undisturbed


async def long_away(platform: Disturbed) -> None:
    """Wait until a relay with something to send has looked for the broker for longer than a group keeps its members."""
    before = platform.log.read_text().count("relay interrupted")

    async def are_cut_off() -> bool:
        return platform.log.read_text().count("relay interrupted") - before >= INTERRUPTIONS

    await eventually(are_cut_off)
    said = await not_ready(platform)
    assert said is not None
    assert all(f"{service} has no broker" in said for service in SERVICES), said


async def have_sent_again(platform: Disturbed) -> None:
    """Give a relay something to send that changes nothing: all may be sent, and nobody has got it."""
    await platform.administrator.execute(
        "UPDATE scheduler.outbox SET published_at = NULL WHERE id = (SELECT max(id) FROM scheduler.outbox)"
    )


async def has_runs(platform: Disturbed, count: int) -> bool:
    found: int = await platform.administrator.fetchval("SELECT count(*) FROM scheduler.runs")
    return found >= count


async def is_ready(platform: Disturbed) -> bool:
    return await not_ready(platform) == ""


async def not_ready(platform: Disturbed) -> str | None:
    """Return what keeps the services from working, empty where nothing does, None where nobody answers."""
    try:
        answer = await platform.client.get(f"{url_of(platform.listeners[SERVICES[0]])}/health/ready")
    except httpx.TransportError:
        return None
    return str(answer.json()["detail"]) if answer.status_code == 503 else ""


async def backends(platform: Disturbed) -> list[int]:
    """Return the processes of PostgreSQL that work for a service."""
    query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = ANY($1)"
    return [row["pid"] for row in await platform.administrator.fetch(query, list(SERVICES))]


def tell(processes: list[int], number: signal.Signals) -> None:
    for pid in processes:
        os.kill(pid, number)
