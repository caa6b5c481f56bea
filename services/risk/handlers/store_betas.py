"""Keep the replica of betas, and count the part."""

from services.risk.storage.repository import RiskRepository
from services.risk.storage.symbol_betas import symbol_betas
from shared.bus.fan_in import FanIn
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.db.unit_of_work import UnitOfWork


async def store_betas(event: SymbolsFactored, uow: UnitOfWork, *, fan_in: FanIn) -> None:
    """Store the betas; the last part of the run releases its books."""
    repository = RiskRepository(uow.connection)
    for betas in symbol_betas(event):
        await repository.store_betas(event.symbols, betas)

    await fan_in.arrive(event, (), uow)
