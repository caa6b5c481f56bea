"""Keep a dead letter where a person will see it."""

from services.scheduler.commands.advance_redrives import record_outcome
from services.scheduler.storage.letter_repository import LetterRepository
from services.scheduler.storage.repository import SchedulerRepository
from shared.bus.dead_letters import Letter, run_of
from shared.db.unit_of_work import UnitOfWork


async def record_dead_letter(letter: Letter, uow: UnitOfWork) -> None:
    """Store the letter with its cause and origin, or what came of one that was sent again; once."""
    if await record_outcome(letter, uow):
        return
    run_id = run_of(letter)
    if run_id is not None:
        # Its log is read in the order of its places.
        await SchedulerRepository(uow.connection).find_run(run_id, lock=True)
    await LetterRepository(uow.connection).append_letter(letter)
