"""Keep a dead letter where a person will see it."""

from services.scheduler.storage.repository import SchedulerRepository
from shared.bus.dead_letters import Letter
from shared.db.unit_of_work import UnitOfWork


async def record_dead_letter(letter: Letter, uow: UnitOfWork) -> None:
    """Store the letter with its cause and origin; a repetition changes nothing."""
    await SchedulerRepository(uow.connection).store_dead_letter(letter)
