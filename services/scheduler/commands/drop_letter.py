"""Drop a dead letter: nobody will have it processed."""

from uuid import UUID

from services.scheduler.commands.errors import LetterDealtWith, UnknownLetter
from services.scheduler.core.letters import LetterStatus
from services.scheduler.storage.letter_repository import LetterRepository
from services.scheduler.storage.redrive_repository import RedriveRepository
from shared.db.unit_of_work import UnitOfWork


async def drop_letter(letter_id: UUID, uow: UnitOfWork, *, requested_by: str, why: str) -> None:
    """Record who drops a letter, and why; it stays readable. Being redriven, it may still be processed.

    Raises
    ------
    UnknownLetter, LetterDealtWith
        If there is nothing to drop.
    """
    letters, redrives = LetterRepository(uow.connection), RedriveRepository(uow.connection)
    await redrives.lock()
    letter = await letters.find_letter(letter_id)
    if letter is None:
        raise UnknownLetter(letter_id)
    if not LetterStatus(letter.status).is_open:
        raise LetterDealtWith(letter_id, LetterStatus(letter.status))
    await redrives.drop_letter(letter_id)
    await letters.drop_letter(letter_id, by=requested_by, why=why)
    await redrives.finish()
