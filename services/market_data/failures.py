"""What is announced in place of a shard that could not be processed, so that its run can end."""

from shared.contracts.event import Event, Failure
from shared.contracts.market_data import FundamentalsUpdated, MarketDataDue, PricesUpdated, ProfilesUpdated
from shared.contracts.run import ONLY_PART, Part
from shared.db.unit_of_work import UnitOfWork


async def report_failed_plan(event: Event, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the run has no prices."""
    _announce(event, ONLY_PART, (failure,), uow)


async def report_failed_fetch(event: MarketDataDue, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the symbols of this shard have no prices."""
    failures = tuple(failure.model_copy(update={"subject": symbol}) for symbol in event.symbols)
    _announce(event, event.part, failures, uow)


def _announce(event: Event, part: Part, failures: tuple[Failure, ...], uow: UnitOfWork) -> None:
    uow.emit(
        PricesUpdated(run=event.run, part=part, failures=failures),
        ProfilesUpdated(run=event.run, part=part),
        FundamentalsUpdated(run=event.run, part=part),
    )
