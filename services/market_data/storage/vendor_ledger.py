"""What all processes know of the vendors, beside any run: each entry is a transaction of its own."""

from datetime import datetime
from typing import Final

from services.market_data.core.breaking import PROBE, Failure, State, after_failure
from services.market_data.core.plans import PLANS, Plan, beside
from services.market_data.storage.answer_store import AnswerStore
from services.market_data.storage.vendor_repository import VendorRepository
from shared.clock import Clock
from shared.db.unit_of_work import UnitOfWorkFactory

WHY_LENGTH: Final = 200


class _Spent(Exception):
    def __init__(self, until: datetime) -> None:
        self.until = until


async def _count(repository: VendorRepository, vendor: str, plan: Plan, now: datetime) -> None:
    for window in plan.windows:
        until = await repository.count_request(vendor, window, now)
        if until is not None:
            raise _Spent(until)


class VendorLedger:
    """Counts requests and keeps breakers.

    Parameters
    ----------
    unit_of_work : UnitOfWorkFactory
    clock : Clock
    """

    def __init__(self, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock

    def answers(self, vendor: str) -> AnswerStore:
        """Return what is kept of a vendor's answers about the whole market."""
        return AnswerStore(self._unit_of_work, vendor)

    async def take(self, vendor: str, plan: Plan) -> float | None:
        """Count a request into every window of a plan; return after how many seconds to ask where one is spent.

        What is spent in one window is counted in none.
        """
        if not plan.windows:
            return None
        now = self._clock.now()
        try:
            async with self._unit_of_work() as uow:
                await _count(VendorRepository(uow.connection), vendor, plan, now)
        except _Spent as spent:
            return max(0.0, (spent.until - now).total_seconds())
        return None

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
        return [
            f"{row.vendor} is not asked for {row.kind} until {row.open_until:%Y-%m-%d %H:%M:%S} UTC: {row.why}"
            for row in rows
            if row.breaker.state(now) is State.OPEN
        ]

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
