"""Giving a broker that has lost its log what it needs, from the outboxes."""

from shared.contracts.services import SERVICES
from shared.db.outbox import requeue
from shared.db.unit_of_work import one_transaction
from shared.settings import CommonSettings, service_database_url


async def requeue_outboxes(common: CommonSettings) -> dict[str, int]:
    """Let the relays publish again what a run that is not done may still need.

    Inboxes make the repetition harmless: who has handled an event skips it.

    Parameters
    ----------
    common : CommonSettings
        Where the services' databases are.

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
            requeued[service] = await requeue(connection, done)
    return requeued
