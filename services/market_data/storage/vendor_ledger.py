"""What all processes know of the vendors, beside any run: each entry is a transaction of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.breaking import PROBE, Failure, State, after_failure
from services.market_data.core.plans import PACED_S, PLANS, Plan, Spent, beside, origin_of
from services.market_data.storage.absence_repository import AbsenceRepository
from services.market_data.storage.answer_store import AnswerStore
from services.market_data.storage.request_repository import RequestRepository
from services.market_data.storage.vendor_repository import VendorRepository
from shared.clock import Clock
from shared.contracts.run import Run, RunKind
from shared.db.unit_of_work import UnitOfWorkFactory

WHY_LENGTH: Final = 200
# They leave a share of each longer window to the runs of today.
CAN_WAIT: Final = frozenset({RunKind.BACKFILL, RunKind.REPLAY})

# Whose requests are counted: what counts them is far from what knows the run.
_RUN: ContextVar[Run | None] = ContextVar("run", default=None)


@contextmanager
def asking_for(run: Run) -> Iterator[None]:
    """Let requests be those of a run until the end of the block."""
    token = _RUN.set(run)
    try:
        yield
    finally:
        _RUN.reset(token)


class _Spent(Exception):
    def __init__(self, until: datetime, *, reserved: bool) -> None:
        self.until = until
        self.reserved = reserved


async def _count(connection: AsyncConnection, vendor: str, plan: Plan, now: datetime) -> None:
    repository, run = VendorRepository(connection), _RUN.get()
    can_wait = run is not None and run.kind in CAN_WAIT
    for window in plan.windows:
        allowed = window.for_background() if can_wait else window
        until = await repository.count_request(origin_of(vendor), allowed, now)
        if until is not None:
            raise _Spent(until, reserved=can_wait and window.seconds > PACED_S)
    if run is not None:
        await RequestRepository(connection).count_request(run.run_id, vendor)


class VendorLedger:
    """Counts requests and keeps breakers.

    Parameters
    ----------
    unit_of_work : UnitOfWorkFactory
    clock : Clock
    plans : mapping of vendor to Plan
        Of those whose sessions are complete at an hour of their own.
    """

    def __init__(
        self, unit_of_work: UnitOfWorkFactory, clock: Clock, plans: Mapping[str, Plan] = MappingProxyType({})
    ) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._plans: dict[str, Plan] = {str(name): plan for name, plan in plans.items()}

    def answers(self, vendor: str) -> AnswerStore:
        """Return what is kept of a vendor's answers about the whole market."""
        return AnswerStore(self._unit_of_work, vendor)

    async def take(self, vendor: str, plan: Plan) -> Spent | None:
        """Count a request into every window of a plan and to the run that it is for; return where one is spent.

        What is spent in one window is counted in none.
        """
        if not plan.windows and _RUN.get() is None:
            return None
        now = self._clock.now()
        try:
            async with self._unit_of_work() as uow:
                await _count(uow.connection, vendor, plan, now)
        except _Spent as spent:
            return Spent(max(0.0, (spent.until - now).total_seconds()), spent.reserved)
        return None

    def late(self, vendor: str, session: date) -> str | None:
        """Return until when a vendor does not have the bars of a session, None where it has."""
        plan = self._plans.get(vendor)
        if plan is None or self._clock.now() >= plan.complete_at(session):
            return None
        return f"{session} is complete there from {plan.complete_at(session):%Y-%m-%d %H:%M} UTC on"

    async def refusal(self, provider: str, kind: str) -> str | None:
        """Return why a provider is not asked for a kind at the moment, None where it is."""
        if provider not in PLANS:
            return None
        now = self._clock.now()
        async with self._unit_of_work.reading() as connection:
            repository = VendorRepository(connection)
            others = await repository.list_breakers() if beside(provider) else []
            breaker = await repository.load_breaker(provider, kind)
        for row in others:
            if row.vendor in beside(provider) and not row.answered and row.breaker.state(now) is State.OPEN:
                return f"not asked until {row.open_until:%Y-%m-%d %H:%M:%S} UTC, as {row.vendor}: {row.why}"
        if breaker is None or breaker.open_until is None:
            return None
        said = f"not asked until {breaker.open_until:%Y-%m-%d %H:%M:%S} UTC: {breaker.why}"
        if breaker.state(now) is State.OPEN:
            return said
        async with self._unit_of_work() as uow:
            trying = VendorRepository(uow.connection)
            mine = await trying.claim_trial(provider, kind, seen=breaker.open_until, until=now + PROBE)
        return None if mine else f"another one is trying it: {breaker.why}"

    async def remarks(self) -> list[str]:
        """Return which vendors are not asked for what, until when and why."""
        now = self._clock.now()
        async with self._unit_of_work.reading() as connection:
            rows = await VendorRepository(connection).list_breakers()
            absences = await AbsenceRepository(connection).count_waiting(now)
        absent = [
            f"{row.vendor} is not asked for {row.kind} of {row.symbols} that it does not have" for row in absences
        ]
        paused = [
            f"{row.vendor} is not asked for {row.kind} until {row.open_until:%Y-%m-%d %H:%M:%S} UTC: {row.why}"
            for row in rows
            if row.breaker.state(now) is State.OPEN
        ]
        return paused + absent

    async def note(self, provider: str, kind: str, failure: Failure | None) -> None:
        """Remember that a provider has answered, or how it failed."""
        if provider not in PLANS:
            return
        async with self._unit_of_work() as uow:
            repository = VendorRepository(uow.connection)
            if failure is None:
                await repository.delete_breaker(provider, kind)
                return
            before = await repository.load_breaker(provider, kind, lock=True)
            after = after_failure(before, failure, self._clock.now())
            await repository.store_breaker(provider, kind, after)
