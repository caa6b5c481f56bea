"""Keep whose a portfolio is."""

from services.risk.storage.owner_repository import OwnerRepository
from shared.contracts.portfolio import SymbolsOnboarding
from shared.db.unit_of_work import UnitOfWork


async def store_owner(event: SymbolsOnboarding, uow: UnitOfWork) -> None:
    """Store what the statement of a book says, unless a later one has come: one may be sent again."""
    if event.portfolio_id is not None:
        await OwnerRepository(uow.connection).store_owner(event.portfolio_id, event.owner, edits=event.edits)
