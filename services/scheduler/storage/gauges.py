"""How the ledger and the schedule stand at the moment of a scrape."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.ledger import STAGES
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.letter_repository import LetterRepository
from services.scheduler.storage.schedule_repository import ScheduleRepository
from shared.clock import SessionClock
from shared.contracts.run import RunKind
from shared.metrics.catalogue import DEAD_LETTERS, PARTS_OPEN, RUN_OLDEST, RUNS_ACTIVE, SCHEDULE_PAUSED, TRIGGER_LATE
from shared.metrics.service_metrics import Reading

_ACTIVE = sa.text(
    "SELECT kind, count(*) AS runs, min(requested_at) AS oldest FROM runs WHERE status = 'active' GROUP BY kind"
)
_OPEN = sa.text(
    """
    SELECT stage, sum(parts_total - parts_done) AS open FROM run_stages JOIN runs USING (run_id)
    WHERE status = 'active' AND parts_total IS NOT NULL AND closed_at IS NULL GROUP BY stage
    """
)


async def read_ledger(connection: AsyncConnection, *, clock: SessionClock) -> Sequence[Reading]:
    """Return what runs are under way, since when, for how many parts they wait, and how many dead letters are open."""
    active = {row.kind: row for row in await connection.execute(_ACTIVE)}
    letters = sum(cause.letters for cause in await LetterRepository(connection).count_open())
    readings = [Reading(DEAD_LETTERS, letters)]
    for kind in RunKind:
        row, label = active.get(kind), (kind.value,)
        readings.append(Reading(RUNS_ACTIVE, 0 if row is None else row.runs, label))
        age = 0.0 if row is None else max((clock.now() - row.oldest).total_seconds(), 0.0)
        readings.append(Reading(RUN_OLDEST, age, label))
    waited_for = {row.stage: row.open for row in await connection.execute(_OPEN)}
    readings += [Reading(PARTS_OPEN, int(waited_for.get(stage, 0)), (stage,)) for stage in STAGES]
    return readings


async def read_schedule(
    connection: AsyncConnection, *, settings: SchedulerSettings, clock: SessionClock
) -> Sequence[Reading]:
    """Return how late each trigger is, and whether the schedule asks for nothing."""
    schedule, now = ScheduleRepository(connection), clock.now()
    readings = []
    for trigger in settings.triggers():
        answered_until = await schedule.find_answered_until(trigger)
        due = None if answered_until is None else trigger.next_after(answered_until)
        late = 0.0 if due is None else max((now - due).total_seconds(), 0.0)
        readings.append(Reading(TRIGGER_LATE, late, (trigger.stage.value,)))
    paused = not settings.batch_processing_enabled or await schedule.find_pause() is not None
    return *readings, Reading(SCHEDULE_PAUSED, int(paused))
