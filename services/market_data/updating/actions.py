"""Spin-offs and mergers of the run's own sessions: an operator is told, no book is changed."""

from services.market_data.core.actions import told
from services.market_data.storage.action_repository import ActionRepository
from services.market_data.storage.repository import MarketDataRepository
from shared.contracts.market_data import MarketDataDue
from shared.db.unit_of_work import UnitOfWork


async def tell_actions(event: MarketDataDue, uow: UnitOfWork) -> None:
    """Keep a finding of each."""
    known = await ActionRepository(uow.connection).load_told(event.symbols)
    own = {"first": event.run.first_session, "last": event.run.last_session}
    findings = [each for source, actions in known.items() for each in told(actions, source=source, **own)]
    await MarketDataRepository(uow.connection).store_findings(findings, run_id=event.run.run_id)
