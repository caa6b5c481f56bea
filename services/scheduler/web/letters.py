"""Dead letters over HTTP: listed by cause, read with their message, dropped."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from services.scheduler.commands.drop_letter import drop_letter
from services.scheduler.commands.errors import UnknownLetter
from services.scheduler.storage.letter_repository import LetterFilter, LetterRepository
from services.scheduler.web.bodies import ReasonBody
from services.scheduler.web.letter_views import LetterCountsView, LetterDetail, LetterView
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.pages import Page, Paging, Place, paged

Letters = Annotated[Paging, paged(100, most=1000)]


def build_router(unit_of_work: UnitOfWorkFactory) -> APIRouter:
    """Return the routes of dead letters."""
    router = APIRouter(prefix="/dead-letters")
    _add_reads(router, unit_of_work)
    _add_changes(router, unit_of_work)
    return router


def _add_reads(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.get("")
    async def list_letters(only: Annotated[LetterFilter, Depends()], paging: Letters) -> Page[LetterView]:
        """List messages that could not be processed, the newest first.

        Those that somebody still has to deal with, unless a status is given.
        """
        (before,) = paging.after(tuple[Place]) or (None,)
        async with unit_of_work.reading() as connection:
            letters = await LetterRepository(connection).list_letters(only, limit=paging.wanted, before=before)
        return paging.page(letters, LetterView.of, lambda letter: (letter.place,))

    @router.get("/counts")
    async def count_letters() -> LetterCountsView:
        """Count the letters that somebody still has to deal with, by consumer and cause."""
        async with unit_of_work.reading() as connection:
            return LetterCountsView.of(await LetterRepository(connection).count_open())

    @router.get("/{letter_id}")
    async def get_letter(letter_id: UUID) -> LetterDetail:
        """Show a letter with its message."""
        async with unit_of_work.reading() as connection:
            return await _detail(letter_id, LetterRepository(connection))


def _add_changes(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.post("/{letter_id}/drop")
    async def drop(letter_id: UUID, body: ReasonBody) -> LetterDetail:
        """Have nobody deal with a letter; it stays readable, with who dropped it and why."""
        async with unit_of_work() as uow:
            await drop_letter(letter_id, uow, requested_by=body.requested_by, why=body.why)
            return await _detail(letter_id, LetterRepository(uow.connection))


async def _detail(letter_id: UUID, letters: LetterRepository) -> LetterDetail:
    letter = await letters.find_letter(letter_id)
    if letter is None:
        raise UnknownLetter(letter_id)
    return LetterDetail.showing(letter, await letters.load_message(letter_id))
