"""Keep the books, and hold the part until what it is assessed with is in."""

from services.risk.fan_out import books_due
from services.risk.storage.repository import RiskRepository
from shared.bus.fan_in import ArrivedPart, FanIn
from shared.contracts.portfolio import PortfoliosValued
from shared.db.unit_of_work import UnitOfWork


async def store_books(event: PortfoliosValued, uow: UnitOfWork, *, fan_in: FanIn) -> None:
    """Store the books; when the inputs of the run are in already, they are due at once."""
    await RiskRepository(uow.connection).store_books(event.books, run_id=event.run.run_id)

    portfolio_ids, sessions = event.subject_names(), event.book_sessions()
    if await fan_in.hold(event, portfolio_ids, uow, sessions=sessions):
        # Said once: by the first part, or by the first of those that were held.
        failures = await fan_in.failures(event.run, uow) if event.part.index == 0 else ()
        part = ArrivedPart(event.topic, event.part.index, event.part.total, portfolio_ids, failures, sessions)
        uow.emit(books_due(event.run, part))
