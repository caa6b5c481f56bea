"""An operator says what a share is called, or takes that back."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.commands.errors import ConflictingNames, UnknownIdentifier
from services.market_data.core.names import Identifier, Names, conflict
from services.market_data.storage.identifier_repository import IdentifierRepository, IdentifierRow
from services.market_data.storage.repository import MarketDataRepository


@dataclass(frozen=True, slots=True)
class Naming:
    """What a share is called, who says so and why."""

    identifier: Identifier
    said_by: str
    why: str


async def weigh_name(naming: Naming, connection: AsyncConnection) -> tuple[str, ...]:
    """Return the watched symbols that are asked for anew, and change nothing.

    Raises
    ------
    ConflictingNames
        If it does not go with what is known.
    """
    known = await IdentifierRepository(connection).load_identifiers()
    against = conflict(naming.identifier, known)
    if against is not None:
        raise ConflictingNames(naming.identifier, against)
    return await _concerned(naming.identifier, Names([*known, naming.identifier]), connection)


async def name_share(naming: Naming, connection: AsyncConnection) -> tuple[IdentifierRow, tuple[str, ...]]:
    """Keep what a share is called; from the next run on it is asked for so.

    Raises
    ------
    ConflictingNames
        If it does not go with what is known.
    """
    repository = IdentifierRepository(connection)
    await repository.lock()
    symbols = await weigh_name(naming, connection)
    number = await repository.store_identifier(naming.identifier, said_by=naming.said_by, why=naming.why)
    await repository.forget_asked(symbols)
    return await _found(number, repository), symbols


async def withdraw_name(identifier_id: int, *, by: str, connection: AsyncConnection) -> IdentifierRow:
    """Take back what a share is called: who tells it, a vendor or a person, is not believed any more.

    Raises
    ------
    UnknownIdentifier
        If nobody said so.
    """
    repository = IdentifierRepository(connection)
    await repository.lock()
    row = await _found(identifier_id, repository)
    if row.withdrawn_at is None:
        names = Names(await repository.load_identifiers())
        await repository.withdraw(identifier_id, by=by)
        await repository.forget_asked(await _concerned(row.identifier, names, connection))
    return await _found(identifier_id, repository)


async def _found(identifier_id: int, repository: IdentifierRepository) -> IdentifierRow:
    row = await repository.find_identifier(identifier_id)
    if row is None:
        raise UnknownIdentifier(identifier_id)
    return row


async def _concerned(identifier: Identifier, names: Names, connection: AsyncConnection) -> tuple[str, ...]:
    share = names.today(identifier.symbol)
    watched = await MarketDataRepository(connection).list_symbols()
    return tuple(symbol for symbol in watched if names.today(symbol) == share)
