"""Let redrives go on: send the next batch, open the runs that make letters good, and settle what has ended."""

import re
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.scheduler.commands.errors import NothingFailed, OtherRunUnderWay, RunGoesOn
from services.scheduler.commands.retry_run import retry_run
from services.scheduler.core.backfill_plan import Scope
from services.scheduler.storage.letter_repository import number_of
from services.scheduler.storage.readiness_inputs import named_in
from services.scheduler.storage.redrive_repository import DueRun, RedriveRepository
from shared.bus.dead_letters import REPLAY_HEADER, SETTLED_HEADER, Letter, sent_again
from shared.db.unit_of_work import UnitOfWork
from shared.symbols import SYMBOL_PATTERN

# How many messages of a redrive are under way at once: what else their consumers have to do comes in between.
BATCH: Final = 100
_SYMBOL: Final = re.compile(SYMBOL_PATTERN)


async def advance_redrives(uow: UnitOfWork) -> None:
    """Do what is to be done next; safe to call at any time and by anyone: whoever comes second waits, and then sees.

    A step is one transaction: whoever dies in it has done nothing, and the next one goes on from the last.
    """
    redrives = RedriveRepository(uow.connection)
    await redrives.lock()
    if not await redrives.has_unfinished():
        return
    await redrives.settle_ended_runs()
    for sending in await redrives.take_queued(BATCH):
        uow.post(sent_again(sending.letter, consumer=sending.consumer, replay_id=sending.replay_id))
    for due in await redrives.list_due_runs():
        # One at a time: the next one would be in the way of this one, or join it.
        if await _open_run(due, redrives, uow):
            break
    await redrives.finish()


async def record_outcome(letter: Letter, uow: UnitOfWork) -> bool:
    """Record what came of a message that was sent again, and go on when its batch is through; False if it is none."""
    replay_id = _uuid(letter.headers.get(REPLAY_HEADER, ""))
    redrives = RedriveRepository(uow.connection)
    if replay_id is None or not await redrives.is_known(replay_id):
        # Whoever settles something has no letter to be kept.
        return SETTLED_HEADER in letter.headers
    await redrives.lock()
    if SETTLED_HEADER in letter.headers:
        await redrives.settle_sent(replay_id)
    else:
        said = letter.headers
        await redrives.fail_sent(
            replay_id,
            reason=said.get("dlq-reason", "unknown"),
            detail=said.get("dlq-detail", ""),
            attempts=number_of(said.get("dlq-attempts"), 0, digits=9),
        )
    if not await redrives.is_under_way(replay_id):
        await advance_redrives(uow)
    return True


async def named_by(letter_ids: Sequence[UUID], redrives: RedriveRepository) -> Scope:
    """Return the symbols and portfolios that the messages of letters name."""
    values = await redrives.load_values(letter_ids)
    names = {name for topic, value in values for name in named_in(topic, value) or ()}
    return Scope.of(filter(_SYMBOL.match, names), (name for name in names if _uuid(name)))


async def _open_run(due: DueRun, redrives: RedriveRepository, uow: UnitOfWork) -> bool:
    named = await named_by(due.facts, redrives)
    try:
        run_id, _ = await retry_run(due.run_id, uow, requested_by="redrive of dead letters", named=named)
    except NothingFailed as done:
        await redrives.settle_letters(due.letters, str(done))
    except (RunGoesOn, OtherRunUnderWay) as waits:
        await redrives.hold(due, str(waits))
    else:
        await redrives.begin_run(due, run_id)
        return True
    return False


def _uuid(said: str) -> UUID | None:
    try:
        return UUID(said)
    except ValueError:
        return None
