"""What is announced in place of a shard that could not be processed, so that its run can end."""

from services.symbol_analytics.announcing import failed_table
from shared.contracts.event import Failure
from shared.contracts.symbol_analytics import SymbolAnalyticsDue, SymbolsFactored, SymbolsMeasured
from shared.db.unit_of_work import UnitOfWork


async def report_failed_factors(event: SymbolAnalyticsDue, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the symbols of this shard have no betas."""
    uow.emit(failed_table(SymbolsFactored, event, failure))


async def report_failed_metrics(event: SymbolAnalyticsDue, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the symbols of this shard have no metrics."""
    uow.emit(failed_table(SymbolsMeasured, event, failure))
