"""Two processes that host everything, killed, frozen, restarted and joined by a third: the results are those of one.

Each seed draws in which order these things happen to them while a month is computed (`make test-processes SEEDS=50`).
"""

import asyncio
import logging
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.contracts.services import SERVICES
from tests.support.digests import Digest
from tests.support.eventually import eventually
from tests.support.life import Life
from tests.support.stack import Servers, wanted_broker
from tests.system.disturbed import SEEDS, Disturbed, disturbed_platform

Thing = Callable[[Disturbed, list[Life]], Awaitable[None]]

log = logging.getLogger(__name__)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.broker,
    pytest.mark.skipif(wanted_broker() != "kafka", reason="several processes share their work on Kafka"),
]

GROUP: Final = "risk.assess_portfolios"


async def killed(platform: Disturbed, lives: list[Life]) -> None:
    """Kill the first of them, and begin another one in its place."""
    await lives.pop(0).kill()
    lives.append(platform.begin(*SERVICES))


async def frozen(platform: Disturbed, lives: list[Life]) -> None:
    """Freeze one until its groups have left it, and let it go on with what it had in hand."""
    await eventually(partial(_has_members, platform, 2))
    lives[0].tell(signal.SIGSTOP)
    await eventually(partial(_has_members, platform, 1))
    lives[0].tell(signal.SIGCONT)


async def restarted(platform: Disturbed, lives: list[Life]) -> None:
    """Stop them one after the other, and begin another one in the place of each."""
    for _ in range(len(lives)):
        assert await lives.pop(0).stop() == 0
        lives.append(platform.begin(*SERVICES))


async def joined(platform: Disturbed, lives: list[Life]) -> None:
    """Have a third one take its part of the work, and leave again."""
    third = platform.begin(*SERVICES)
    await eventually(partial(_has_members, platform, 3))
    assert await third.stop() == 0


THINGS: Final[tuple[Thing, ...]] = (killed, frozen, restarted, joined)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", SEEDS)
async def test_two_processes_to_which_things_happen_end_with_the_results_of_one(
    postgres: Servers, undisturbed: dict[str, Digest], seed: int
) -> None:
    generator = random.Random(seed)  # noqa: S311 - draws faults
    happened: list[str] = []
    async with disturbed_platform(postgres) as platform:
        lives = [platform.begin(*SERVICES), platform.begin(*SERVICES)]
        async with asyncio.TaskGroup() as going_on:
            things = going_on.create_task(happens(platform, lives, generator.sample(THINGS, len(THINGS)), happened))
            await platform.month()
            things.cancel()
        await platform.stop()
        digests = await platform.digests()

    log.info("seed %d: %d things, %s", seed, len(happened), ", ".join(happened))
    assert digests == undisturbed
    assert happened, "something must have happened"


async def happens(platform: Disturbed, lives: list[Life], things: Sequence[Thing], happened: list[str]) -> None:
    """Have these things happen to two processes, one after the other."""
    for thing in things:
        await thing(platform, lives)
        happened.append(thing.__name__)


async def _has_members(platform: Disturbed, count: int) -> bool:
    try:
        return await _members(platform) == count
    except KafkaError:
        # There are no groups yet.
        return False


async def _members(platform: Disturbed) -> int:
    """Return how many processes share the assessments, as the broker has it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=platform.servers.bootstrap_servers)
    await admin.start()
    try:
        [answer] = await admin.describe_consumer_groups([GROUP])
        [(_, _, _, _, _, members, *_)] = answer.groups
    finally:
        await admin.close()
    return len(members)
