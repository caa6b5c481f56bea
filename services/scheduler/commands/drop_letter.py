"""Drop a dead letter: nobody will have it processed."""

from uuid import UUID

from services.scheduler.commands.errors import LetterNotWaiting, UnknownLetter
from services.scheduler.core.letters import LetterStatus
from services.scheduler.storage.letter_repository import LetterRepository
from shared.db.unit_of_work import UnitOfWork


async def drop_letter(letter_id: UUID, uow: UnitOfWork, *, requested_by: str, why: str) -> None:
    """Record who drops a letter that is waiting, and why; it stays readable.

    Raises
    ------
    UnknownLetter, LetterNotWaiting
        If there is nothing to drop.
    """
    letters = LetterRepository(uow.connection)
    letter = await letters.find_letter(letter_id, lock=True)
    if letter is None:
        raise UnknownLetter(letter_id)
    if letter.status != LetterStatus.WAITING:
        raise LetterNotWaiting(letter_id, LetterStatus(letter.status))
    await letters.drop_letter(letter_id, by=requested_by, why=why)
