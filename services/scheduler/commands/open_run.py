"""Open a run for the target session or a range, or join the one that is under way."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID, uuid4

from services.scheduler.commands.errors import OtherRangeUnderWay, UnusableSession
from services.scheduler.fan_out import open_or_join
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.repository import SchedulerRepository, scope_of
from shared.calendar import FIRST_SESSION, is_session, session_on_or_before, shift_session
from shared.contracts.run import Run, RunKind
from shared.db.unit_of_work import UnitOfWork


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
    """Open a run and trigger it; return it and whether it is new.

    Raises
    ------
    UnusableSession
        If a bound is no session, lies in the future, or the bounds are in the wrong order.
    OtherRangeUnderWay
        If the run to join begins at another first session than the one asked for.
    """
    repository = SchedulerRepository(uow.connection)
    last = request.last_session or newest
    first = request.first_session or await _first_session(request, last, repository, settings)
    _check_range(first, last, newest)

    run = Run(
        run_id=uuid4(),
        kind=request.kind,
        first_session=first,
        last_session=last,
        symbols=request.symbols,
        portfolio_ids=request.portfolio_ids,
        requested_by=request.requested_by,
    )
    found, is_new = await open_or_join(run, uow, deadline_s=settings.run_deadline_s)
    if not is_new and request.first_session not in {None, found.first_session}:
        raise OtherRangeUnderWay(found)
    return found, is_new


async def _first_session(
    request: RunRequest, last: date, repository: SchedulerRepository, settings: SchedulerSettings
) -> date:
    # A nightly run begins where the last one ended, so a skipped night heals itself.
    nightly = request.kind is RunKind.NIGHTLY
    done = await repository.find_last_nightly_session(scope_of(request)) if nightly else None
    if done is None or done >= last:
        return last
    return max(shift_session(done, 1), shift_session(last, 1 - settings.catch_up_sessions))


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
        raise UnusableSession("first_session", f"must not be after last_session {last}", day=first)
