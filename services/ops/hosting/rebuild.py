"""Giving a broker that has lost its log what it needs, from the outboxes."""

import asyncpg

from shared.contracts.catalogue import SERVICES
from shared.db.engine import plain_url
from shared.settings import CommonSettings, service_database_url

# A run that ended with every part in has been consumed everywhere. One that failed has not: a replica may lack its
# bars, which are not announced again. Runs that the ledger doesn't know yet are not in this list either.
_DONE_RUNS = "SELECT run_id FROM scheduler.runs WHERE status IN ('completed', 'completed_with_errors')"

# Listeners of ended runs may not have heard of the last ones; the day is that of the outbox, since the broker may have
# been away for longer. Dead letters without a run are those of messages that could not be read at all.
_REQUEUE = """
    UPDATE outbox SET published_at = NULL
    WHERE published_at IS NOT NULL AND (
        run_id <> ALL ($1::uuid[])
        OR (topic = 'batch.completed' OR run_id IS NULL)
            AND created_at > (SELECT max(created_at) FROM outbox) - interval '1 day'
    )
"""


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
    done = await _done_runs(common)
    return {service: await _requeue(common, service, done) for service in SERVICES}


async def _done_runs(common: CommonSettings) -> list[object]:
    connection = await asyncpg.connect(_url(common, "scheduler"))
    try:
        return [record["run_id"] for record in await connection.fetch(_DONE_RUNS)]
    finally:
        await connection.close()


async def _requeue(common: CommonSettings, service: str, done: list[object]) -> int:
    connection = await asyncpg.connect(_url(common, service), server_settings={"search_path": service})
    try:
        outcome: str = await connection.execute(_REQUEUE, done)
        return int(outcome.removeprefix("UPDATE "))
    finally:
        await connection.close()


def _url(common: CommonSettings, service: str) -> str:
    return plain_url(service_database_url(common, service).get_secret_value())
