"""Open a run for the target session or a range, or join the one that is under way."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog

from services.scheduler.commands.errors import OtherRunUnderWay, UnusableSession
from services.scheduler.commands.make_way import make_way
from services.scheduler.commands.repair_gaps import repair_gaps
from services.scheduler.events import outline
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.repository import SchedulerRepository, scope_of
from shared.calendar import FIRST_SESSION, is_session, session_on_or_before
from shared.contracts.run import ONLY_PART, Run, RunKind
from shared.contracts.scheduler import BatchTriggered
from shared.db.unit_of_work import UnitOfWork

log = structlog.get_logger("scheduler")

# As long as an inbox remembers (`OutboxRelay`).
KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What somebody asks for; what is None follows from the calendar and the ledger."""

    kind: RunKind
    first_session: date | None
    last_session: date | None
    symbols: tuple[str, ...] | None
    portfolio_ids: tuple[UUID, ...] | None
    requested_by: str


async def open_run(
    request: RunRequest, uow: UnitOfWork, *, newest: date, settings: SchedulerSettings
) -> tuple[Run, bool]:
    """Open a run and trigger it; return it and whether it is new. A night repairs the gaps before it, too.

    Raises
    ------
    UnusableSession
        If a bound is no session, lies in the future, or the bounds are in the wrong order.
    OtherRunUnderWay
        If the run to join begins at another first session than the one asked for.
    """
    run = run_of(request, newest=newest)
    found, is_new = await open_or_join(run, uow)
    if not is_new and request.first_session not in {None, found.first_session}:
        raise OtherRunUnderWay(found)
    if is_new and run.kind is RunKind.NIGHTLY and run.symbols is None:
        await repair_gaps(run.first_session, uow, settings=settings)
    return found, is_new


def run_of(request: RunRequest, *, newest: date) -> Run:
    """Return the run that is asked for, under an id of its own.

    Raises
    ------
    UnusableSession
        If a bound is no session, lies in the future, or the bounds are in the wrong order.
    """
    last = request.last_session or newest
    first = request.first_session or last
    _check_range(first, last, newest)
    return Run(
        run_id=uuid4(),
        kind=request.kind,
        first_session=first,
        last_session=last,
        symbols=request.symbols,
        portfolio_ids=request.portfolio_ids,
        requested_by=request.requested_by,
    )


async def open_or_join(run: Run, uow: UnitOfWork) -> tuple[Run, bool]:
    """Open the run and trigger it, or find the one of its kind, session and scope that is under way; tell which."""
    repository, scope = SchedulerRepository(uow.connection), scope_of(run)
    while not await repository.store_run(run, scope=scope):
        active = await repository.find_active_run(run, scope=scope)
        if active is not None:  # else it has ended meanwhile, and this one is opened
            return active.run, False
    await make_way(run, uow)
    await repository.forget_unopened(kept=KEPT)
    uow.emit(BatchTriggered(run=run, part=ONLY_PART))
    log.info("run opened", **outline(run))
    return run, True


def _check_range(first: date, last: date, newest: date) -> None:
    # The last one first: a request that names only that one is told about it.
    for field, day in (("last_session", last), ("first_session", first)):
        if day > newest:
            raise UnusableSession(field, f"must not be after the last closed session {newest}", day=day)
        if day < FIRST_SESSION:
            raise UnusableSession(field, f"must be a session on or after {FIRST_SESSION}", day=day)
        if not is_session(day):
            raise UnusableSession(field, f"must be a session (the one before is {session_on_or_before(day)})", day=day)
    if first > last:
        raise UnusableSession("first_session", f"must not be after {last}, the last session of the run", day=first)
