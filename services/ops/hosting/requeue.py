"""Giving a broker that has lost its log what it needs, from the outboxes."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from shared.bus.broker import CAPABILITIES
from shared.bus.connection import Connection
from shared.bus.deleted import Deleted, find_deleted, go_on_behind, groups_of
from shared.contracts.services import SERVICES
from shared.db.outbox import requeue
from shared.db.unit_of_work import one_transaction
from shared.settings import CommonSettings, service_database_url

log = structlog.get_logger("requeue")

_PAUSE_S: Final = 1.0


async def requeue_outboxes(common: CommonSettings, *, topics: Sequence[str] = ()) -> dict[str, int]:
    """Let the relays publish again what a run that is not done may still need, and all that is kept of some topics.

    Inboxes make the repetition harmless: who has handled an event skips it.

    Parameters
    ----------
    common : CommonSettings
        Where the services' databases are.
    topics : sequence of str
        Of which consumers may miss something, whatever run it was of.

    Returns
    -------
    dict of str to int
        How many messages of each service wait for its relay again.
    """
    # Loaded when it is needed, after the servers have begun to start.
    from services.scheduler.main import done_runs  # noqa: PLC0415

    done = await done_runs(common)
    requeued = {}
    for service in SERVICES:
        async with one_transaction(service_database_url(common, service), service=service) as connection:
            requeued[service] = await requeue(connection, done, topics=topics)
    return requeued


async def requeue_deleted(common: CommonSettings) -> tuple[dict[str, int], list[Deleted]]:
    """Let the relays publish again what a broker has lost, or deleted before it was read, and who waits for it go on.

    Returns
    -------
    dict of str to int
        How many messages of each service wait for its relay again.
    list of Deleted
        What was deleted that somebody waited for.
    """
    # The code of every service, which the recovery of a platform that begins does without.
    from services.ops.composition import build_services  # noqa: PLC0415

    services = build_services(SERVICES, common) if CAPABILITIES[common.broker].deletes else []
    deleted = {service.name: await find_deleted(service.connection, groups_of(service.broker)) for service in services}
    topics = sorted({each.topic for theirs in deleted.values() for each in theirs})
    requeued = await requeue_outboxes(common, topics=topics)
    # Only now: who goes on before it is sure that all comes again would never miss it.
    for service in services:
        for each in deleted[service.name]:
            await _let_go_on(service.connection, each)
        await service.engine.dispose()
    return requeued, [each for theirs in deleted.values() for each in theirs]


async def _let_go_on(connection: Connection, deleted: Deleted) -> None:
    # Who is in the group leaves it when it sees what is missing, or had been given it before it was deleted.
    while not await go_on_behind(connection, deleted):
        log.info("waiting for a group to be left or to have gone on", group=deleted.group)
        await asyncio.sleep(_PAUSE_S)
        if not any(_same(each, deleted) for each in await find_deleted(connection, [deleted.group])):
            return


def _same(one: Deleted, other: Deleted) -> bool:
    return (one.topic, one.partition, one.start) == (other.topic, other.partition, other.start)
