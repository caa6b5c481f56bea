"""Processes that die between two steps of a message, and messages that come again: nothing of it changes a result.

Each seed draws where the platform dies, over and over, while a month is computed (`make test-chaos SEEDS=50`).
"""

import logging
import os
import random
from collections.abc import Sequence
from typing import Final

import asyncpg
import httpx
import pytest

from shared.contracts.services import SERVICES
from shared.failpoints import VARIABLE, Failpoint, Place
from tests.support.digests import Digest, digest_results
from tests.support.eventually import eventually
from tests.support.hosted import Up
from tests.support.platform import Api
from tests.support.stack import wanted_broker
from tests.system.month import MONTH, data_directory, import_portfolios, undisturbed_month

log = logging.getLogger(__name__)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(wanted_broker() == "testcontainers", reason="needs a broker that `up` runs"),
]

SEEDS: Final = range(int(os.environ.get("CHAOS_SEEDS", "1")))
DEATHS: Final = 6  # that a seed draws
MOST_SPARED: Final = 3
AGAIN: Final = 0.3  # of what has been published, after each death
OPTIONS: Final = ["--broker", wanted_broker(), "--providers", "sample"]


@pytest.fixture(scope="module")
async def undisturbed() -> dict[str, Digest]:
    """The results of the month when nothing happens to it."""
    return await undisturbed_month(OPTIONS)


def drawn(seed: int, generator: random.Random) -> list[Failpoint]:
    """Where the platform dies, one after the other: in every service at every place once in 35 times."""
    places = list(Place)
    return [
        Failpoint(places[number % len(places)], SERVICES[number % len(SERVICES)], generator.randrange(MOST_SPARED + 1))
        for number in range(seed * DEATHS, (seed + 1) * DEATHS)
    ]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", SEEDS)
async def test_deaths_between_two_steps_and_messages_that_come_again_change_no_result(
    undisturbed: dict[str, Digest], seed: int
) -> None:
    generator = random.Random(seed)  # noqa: S311 - draws faults
    with data_directory() as directory:
        up = Up(directory, OPTIONS)
        try:
            await up.start()
            for run_id in await import_portfolios(up):
                async with up.api() as api:
                    assert (await api.ended(run_id))["status"] == "completed"
            died = await deaths(up, drawn(seed, generator), generator)
            up.environment = {}
            up.stop()
            await up.start()
            async with up.api() as api:
                run = await api.ended(await month(api))
            digests = await digest_results(up.database_url)
            left = await unsettled(up.database_url)
        finally:
            up.stop()

    log.info("seed %d: died at %s", seed, ", ".join(map(str, died)))
    assert run["status"] == "completed"
    assert digests == undisturbed
    assert left == {"active runs": 0, "dead letters": 0}
    assert died, "the platform must have died"


async def deaths(up: Up, failpoints: Sequence[Failpoint], generator: random.Random) -> list[Failpoint]:
    """Have the platform die at each of these places, if it gets there before the month is done."""
    died = []
    for failpoint in failpoints:
        up.stop()
        up.environment = {VARIABLE: str(failpoint)}
        if not await up.starts() or await dies(up, generator):
            died.append(failpoint)
    return died


async def dies(up: Up, generator: random.Random) -> bool:
    """Ask for the month, have messages come again, and tell whether the platform dies before it is done."""
    await send_again(up.database_url, generator)

    async def look() -> str | None:
        if up.has_ended:
            return "died"
        try:
            async with up.api() as api:
                return "done" if await is_done(api) else None
        except httpx.TransportError:
            return None

    return await eventually(look) == "died"


async def is_done(api: Api) -> bool:
    answer = await api.client.get(f"/runs/{await month(api)}")
    return answer.is_success and answer.json()["status"] != "active"


async def month(api: Api) -> str:
    """Return the run over the month, opened when this is asked for the first time."""
    answer = await api.client.post("/runs", json=MONTH, headers={"Idempotency-Key": "the month"})
    answer.raise_for_status()
    run_id: str = answer.json()["run"]["run_id"]
    return run_id


async def send_again(database_url: str, generator: random.Random) -> None:
    """Have every service publish a part of what it has published again, old messages behind new ones."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SELECT setseed($1)", generator.uniform(-1, 1))
        for service in SERVICES:
            await connection.execute(
                f"UPDATE {service}.outbox SET published_at = NULL WHERE error IS NULL AND random() < $1", AGAIN
            )
    finally:
        await connection.close()


async def unsettled(database_url: str) -> dict[str, int]:
    """What a month leaves behind that went wrong."""
    connection = await asyncpg.connect(database_url)
    try:
        return {
            "active runs": await connection.fetchval("SELECT count(*) FROM scheduler.runs WHERE status = 'active'"),
            "dead letters": await connection.fetchval("SELECT count(*) FROM scheduler.dead_letters"),
        }
    finally:
        await connection.close()
