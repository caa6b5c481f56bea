"""Have dead letters processed again: as messages to the consumer that could not, or as runs over what they led to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.commands.advance_redrives import advance_redrives, named_by
from services.scheduler.commands.errors import NothingFailed, NothingToRedrive, RunGoesOn, UnknownLetter
from services.scheduler.commands.retry_run import find_undone
from services.scheduler.core.redrive import RedrivePlan, Way, plan_redrive
from services.scheduler.core.retry import Undone
from services.scheduler.storage.letter_repository import LetterFilter
from services.scheduler.storage.redrive_repository import RedriveRepository
from shared.db.keyed_requests import answer_once
from shared.db.unit_of_work import UnitOfWork

MAX_RUNS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class RedriveRequest:
    """Which letters, by id or as a filter, and for whom; `again`: also those that were redriven often already."""

    letter_ids: tuple[UUID, ...] | None
    only: LetterFilter
    again: bool
    requested_by: str
    why: str


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """What one run computes again, or in words why that is not known or nothing."""

    run_id: UUID
    letters: int
    undone: Undone | None
    why: str


async def show_redrive(request: RedriveRequest, connection: AsyncConnection) -> tuple[RedrivePlan, list[PlannedRun]]:
    """Return what a redrive would do, the first of its runs in detail.

    Raises
    ------
    UnknownLetter
        If there is no letter of some id.
    """
    plan = await _plan(request, RedriveRepository(connection))
    shown = list(plan.runs.items())[:MAX_RUNS_SHOWN]
    return plan, [await _planned(run_id, letters, plan.ways, connection) for run_id, letters in shown]


async def redrive_letters(
    request: RedriveRequest, uow: UnitOfWork, *, key: str | None = None
) -> tuple[UUID, bool, Mapping[UUID, str]]:
    """Queue letters and begin with them; return the redrive, whether it is new, and why letters are left out.

    Raises
    ------
    UnknownLetter, NothingToRedrive
        If there is no letter of some id, or every one is left out.
    IdempotencyKeyReused
        If the key stands for another request.
    """
    redrives = RedriveRepository(uow.connection)
    left_out: Mapping[UUID, str] = {}

    async def queue() -> tuple[UUID, bool]:
        nonlocal left_out
        await redrives.lock()
        plan = await _plan(request, redrives)
        left_out = plan.left_out
        if not plan.ways:
            raise NothingToRedrive(left_out)
        redrive_id = uuid4()
        await redrives.append_redrive(redrive_id, requested_by=request.requested_by, why=request.why)
        await redrives.append_letters(redrive_id, plan.ways, plan.replays)
        await advance_redrives(uow)
        return redrive_id, True

    only = request.only
    ids = None if request.letter_ids is None else sorted(map(str, request.letter_ids))
    said = f"redrive of {ids} {only.reason} {only.topic} {only.run_id} again={request.again}"
    redrive_id, is_new = await answer_once(uow.connection, key, said, UUID, queue)
    return redrive_id, is_new, left_out


async def _plan(request: RedriveRequest, redrives: RedriveRepository) -> RedrivePlan:
    if request.letter_ids is None:
        return plan_redrive(await redrives.list_matching(request.only), again=request.again)
    found = await redrives.list_candidates(request.letter_ids)
    known = {letter.letter_id for letter in found}
    for letter_id in request.letter_ids:
        if letter_id not in known:
            raise UnknownLetter(letter_id)
    return plan_redrive(found, again=request.again)


async def _planned(
    run_id: UUID, letters: tuple[UUID, ...], ways: Mapping[UUID, Way], connection: AsyncConnection
) -> PlannedRun:
    facts = [letter_id for letter_id in letters if ways[letter_id] is Way.MESSAGE_AND_RUN]
    named = await named_by(facts, RedriveRepository(connection))
    try:
        return PlannedRun(run_id, len(letters), await find_undone(run_id, connection, named=named), "")
    except (RunGoesOn, NothingFailed) as why:
        return PlannedRun(run_id, len(letters), None, str(why))
