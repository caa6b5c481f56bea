"""Processes that die between two steps of a message, and messages that come again: nothing of it changes a result.

Each service is a process. Each seed draws where each of them dies, one time after the other, the broker with some of
them, while a month is computed (`make test-chaos SEEDS=50`).

What else is broken, and where:

- a whole platform, its servers, its workers are killed; a process is frozen: `test_kill`
- two processes are killed, frozen, restarted, joined by a third: `test_processes`
- messages in no order, the broker away for long, a slow disk, a database that hangs: `test_disturbances`
- a commit whose answer is lost: `integration/shared/test_lost_reply`
- a scheduler is killed, nights are missed, clocks change: `test_schedule`, `test_redrive_restart`
- a backfill is killed, resumed, cancelled: `test_backfill`
- parts never come: `test_missing_part`; runs go on from one another: `integration/shared/test_forerunner`
- files of a platform are damaged: `integration/ops/test_postgres`, `unit/ops/test_data_directory`
- a directory is in use: `test_cli`, `integration/ops/test_stack`
- junk, bugs, letters: `integration/shared/test_consume`; the broker is away: `integration/shared/test_relay`
- locks, deadlocks, time limits, pools: `integration/shared/test_time_limits`, `test_bulk`, `test_slots`
- old results after new ones: `test_order` of portfolio and risk; the same request at once: `scheduler/test_request_run`
"""

import asyncio
import logging
import random
import signal
from typing import Final

import pytest

from shared.contracts.services import SERVICES
from shared.failpoints import Failpoint, Place
from tests.support.digests import Digest
from tests.support.stack import Servers, wanted_broker
from tests.system.disturbed import SEEDS, Disturbed, disturbed_platform

log = logging.getLogger(__name__)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(wanted_broker() == "testcontainers", reason="needs a broker that is stopped and started"),
]

DEATHS: Final = 4  # of each service, that a seed draws
MOST_SPARED: Final = 3
NOT_BEGUN: Final = 1  # the exit code
BEGINNINGS: Final = 20
WITH_THE_BROKER: Final = 0.1  # of the deaths


def drawn(service: str, seed: int, generator: random.Random) -> list[Failpoint]:
    """Where a service dies, one time after the other: two seeds in a row have every place."""
    places = list(Place)
    numbers = range(seed * DEATHS, (seed + 1) * DEATHS)
    return [
        Failpoint(places[number % len(places)], service, generator.randrange(MOST_SPARED + 1)) for number in numbers
    ]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", SEEDS)
async def test_deaths_between_two_steps_and_messages_that_come_again_change_no_result(
    postgres: Servers, undisturbed: dict[str, Digest], seed: int
) -> None:
    died: list[str] = []
    async with disturbed_platform(postgres) as platform:
        async with asyncio.TaskGroup() as going_on:
            dying = [going_on.create_task(deaths(service, seed, platform, died)) for service in SERVICES]
            await platform.month()
            for service in dying:
                service.cancel()
        await platform.stop()
        digests = await platform.digests()

    log.info("seed %d: %d deaths, at %s", seed, len(died), ", ".join(died))
    assert digests == undisturbed
    assert died, "processes must have died"


async def deaths(service: str, seed: int, platform: Disturbed, died: list[str]) -> None:
    """Have a service die at the places that are drawn, one time after the other, and live from then on."""
    generator = random.Random(f"{seed} {service}")  # noqa: S311 - draws faults
    for failpoint in drawn(service, seed, generator):
        assert await end_of(service, platform, failpoint) == -signal.SIGKILL
        died.append(str(failpoint))
        await platform.send_again(service, generator)
        if generator.random() < WITH_THE_BROKER:
            died.append("and the broker")
            await platform.restart_broker()
    assert await end_of(service, platform) == 0


async def end_of(service: str, platform: Disturbed, failpoint: Failpoint | None = None) -> int:
    """Return how a service has ended that had begun; one that finds no broker is begun again, as everywhere."""
    for _ in range(BEGINNINGS):
        code = await platform.begin(service, failpoint=failpoint).ended()
        if code != NOT_BEGUN:
            return code
    raise AssertionError(f"{service} must begin, see {platform.log}")
