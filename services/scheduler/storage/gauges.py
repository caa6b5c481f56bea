"""How the ledger stands at the moment of a scrape."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.storage.letter_repository import LetterRepository
from shared.contracts.run import RunKind
from shared.metrics.catalogue import DEAD_LETTERS, RUNS_ACTIVE
from shared.metrics.service_metrics import Reading

_ACTIVE = sa.text("SELECT kind, count(*) AS runs FROM runs WHERE status = 'active' GROUP BY kind")


async def read_ledger(connection: AsyncConnection) -> Sequence[Reading]:
    """Return how many runs of each kind are under way, and how many dead letters are open."""
    active = {row.kind: row.runs for row in await connection.execute(_ACTIVE)}
    letters = sum(cause.letters for cause in await LetterRepository(connection).count_open())
    return *(Reading(RUNS_ACTIVE, active.get(kind, 0), (kind.value,)) for kind in RunKind), Reading(
        DEAD_LETTERS, letters
    )
