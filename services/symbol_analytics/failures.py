"""What is announced in place of a shard that could not be processed, so that its run can end."""

from services.symbol_analytics.announcing import failed_table
from shared.contracts.event import Failure
from shared.contracts.symbol_analytics import SymbolAnalyticsDue, SymbolsFactored, SymbolsMeasured
from shared.db.unit_of_work import UnitOfWork


async def report_failed_analysis(event: SymbolAnalyticsDue, failure: Failure, uow: UnitOfWork) -> None:
    """Announce that the symbols of this shard have neither betas nor metrics."""
    uow.emit(failed_table(SymbolsFactored, event, failure), failed_table(SymbolsMeasured, event, failure))
