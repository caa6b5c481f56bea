"""Dead letters over HTTP: listed by cause, read with their message, redriven, dropped."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.commands.drop_letter import drop_letter
from services.scheduler.commands.errors import UnknownLetter, UnknownRedrive
from services.scheduler.commands.redrive_letters import redrive_letters, show_redrive
from services.scheduler.storage.letter_repository import LetterFilter, LetterRepository
from services.scheduler.storage.redrive_repository import RedriveRepository
from services.scheduler.web.bodies import ReasonBody, RedriveBody
from services.scheduler.web.letter_views import (
    LeftOutView,
    LetterCountsView,
    LetterDetail,
    LetterView,
    RedriveAnswer,
    RedrivePlanView,
    RedriveView,
)
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.dependencies import made
from shared.idempotency import IdempotencyKey
from shared.openapi import or_found, refused
from shared.pages import Page, Paging, Place, paged
from shared.paths import API

Letters = Annotated[Paging, paged(100, most=1000)]


def build_router(unit_of_work: UnitOfWorkFactory) -> APIRouter:
    """Return the routes of dead letters."""
    router = APIRouter(prefix="/dead-letters")
    _add_reads(router, unit_of_work)
    _add_changes(router, unit_of_work)
    return router


def _add_reads(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.get("")
    async def list_letters(only: Annotated[LetterFilter, made(LetterFilter)], paging: Letters) -> Page[LetterView]:
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

    @router.get("/redrives/{redrive_id}", responses=refused(404))
    async def get_redrive(redrive_id: UUID) -> RedriveView:
        """Show how far a redrive is, and what has come of its letters."""
        async with unit_of_work.reading() as connection:
            return await _redrive(redrive_id, RedriveRepository(connection))

    @router.get("/{letter_id}", responses=refused(404))
    async def get_letter(letter_id: UUID) -> LetterDetail:
        """Show a letter with its message."""
        async with unit_of_work.reading() as connection:
            return await _detail(letter_id, connection)


def _add_changes(router: APIRouter, unit_of_work: UnitOfWorkFactory) -> None:
    @router.post("/redrives", status_code=201, responses=refused(404, 409) | or_found(RedriveAnswer))
    async def redrive(body: RedriveBody, response: Response, idempotency_key: IdempotencyKey = None) -> RedriveAnswer:
        """Have letters processed again (201), show the redrive of the same key, or say what would be done (200).

        A message goes again to the one consumer that could not process it. Where its run has heard of the failure and
        gone on without, one run over what it could not do makes all its letters good. What was redriven three times is
        left out unless `again`; where all is left out, it is a conflict (409).
        """
        if body.dry_run:
            response.status_code = 200
            async with unit_of_work.reading() as connection:
                plan, runs = await show_redrive(body.request(), connection)
            left_out = LeftOutView.all_of(plan.left_out)
            return RedriveAnswer(plan=RedrivePlanView.of(plan, runs), redrive=None, left_out=left_out)
        async with unit_of_work() as uow:
            redrive_id, is_new, without = await redrive_letters(body.request(), uow, key=idempotency_key)
            view = await _redrive(redrive_id, RedriveRepository(uow.connection))
        response.status_code = 201 if is_new else 200
        response.headers["Location"] = f"{API}/dead-letters/redrives/{redrive_id}"
        return RedriveAnswer(plan=None, redrive=view, left_out=LeftOutView.all_of(without))

    @router.post("/{letter_id}/drop", responses=refused(404, 409))
    async def drop(letter_id: UUID, body: ReasonBody) -> LetterDetail:
        """Have nobody deal with a letter; it stays readable, with who dropped it and why."""
        async with unit_of_work() as uow:
            await drop_letter(letter_id, uow, requested_by=body.requested_by, why=body.why)
            return await _detail(letter_id, uow.connection)


async def _redrive(redrive_id: UUID, redrives: RedriveRepository) -> RedriveView:
    stored = await redrives.find_redrive(redrive_id)
    if stored is None:
        raise UnknownRedrive(redrive_id)
    return RedriveView.of(stored)


async def _detail(letter_id: UUID, connection: AsyncConnection) -> LetterDetail:
    letters = LetterRepository(connection)
    letter = await letters.find_letter(letter_id)
    if letter is None:
        raise UnknownLetter(letter_id)
    attempts = await RedriveRepository(connection).list_attempts(letter_id)
    return LetterDetail.showing(letter, await letters.load_message(letter_id), attempts)
