"""The names of shares that nobody has bars of any more, as vendors tell them: the next run asks for them so."""

from typing import Final

from services.market_data.core.names import Names, conflict, is_contract
from services.market_data.providers.chain import ProviderChain
from services.market_data.storage.identifier_repository import IdentifierRepository
from shared.calendar import shift_session
from shared.contracts.market_data import MarketDataDue
from shared.db.unit_of_work import UnitOfWork

LOST_SESSIONS: Final = 3  # without a bar: a vendor that is late has it by then


async def learn_names(event: MarketDataDue, uow: UnitOfWork, chain: ProviderChain) -> None:
    """Ask how the shares are called that went by symbols without bars, and let those be asked for anew.

    A symbol is the share that had it when its last bar was, or when the history begins.
    """
    repository = IdentifierRepository(uow.connection)
    if event.fetch_first is None:
        return
    before = shift_session(event.run.last_session, -LOST_SESSIONS)
    since = event.kept_since or event.run.first_session
    names = Names(await repository.load_identifiers())
    shares = [symbol for symbol in event.symbols if not (names.is_private(symbol) or is_contract(symbol))]
    lost = await repository.load_lost(shares, before=before, since=since)
    vendor, told = await chain.find_names(lost) if lost else ("", ())
    if not told:
        return
    await repository.lock()
    known = await repository.load_identifiers()
    new = []
    for each in told:
        if each not in known and conflict(each, known) is None:
            known.append(each)
            new.append(each)
    if await repository.append_identifiers(new, source=vendor, why="its ticker events"):
        now = Names(known)
        await repository.forget_asked([symbol for symbol in lost if now.today(symbol) != symbol])
