"""What is announced in place of a shard that could not be processed, so that its run can end."""

from collections.abc import Sequence

from shared.contracts.event import Event, Failure
from shared.contracts.portfolio import PortfoliosValued
from shared.contracts.risk import PortfoliosAssessed, RiskDue
from shared.db.unit_of_work import UnitOfWork


async def report_failed_books(event: PortfoliosValued, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the portfolios of this part have no books here and will not be assessed."""
    _announce(event, event.subject_names(), failure, uow)


async def report_failed_assessment(event: RiskDue, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the portfolios of this shard have no risk."""
    _announce(event, [str(portfolio_id) for portfolio_id in event.portfolio_ids], failure, uow)


def _announce(event: Event, portfolio_ids: Sequence[str], failure: Failure, uow: UnitOfWork) -> None:
    # A part without portfolios can fail too, and must not pass for one that went well.
    failures = tuple(failure.model_copy(update={"subject": subject}) for subject in portfolio_ids) or (failure,)
    uow.emit(PortfoliosAssessed(run=event.run, part=event.part, failures=failures))
