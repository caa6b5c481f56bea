"""What is announced in place of a shard that could not be valued, so that its run can end."""

from shared.contracts.event import Failure
from shared.contracts.portfolio import PortfolioDue, PortfoliosValued
from shared.db.unit_of_work import UnitOfWork


async def report_failed_valuation(event: PortfolioDue, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the portfolios of this shard have no new snapshots."""
    failures = tuple(failure.model_copy(update={"subject": str(entry)}) for entry in event.portfolio_ids)
    uow.emit(PortfoliosValued(run=event.run, part=event.part, failures=failures))
