"""Positions in memory are those that are stored, whatever became of them since."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from services.portfolio.core.positions import Exit, Position
from services.portfolio.storage.edit_repository import EditRepository
from services.portfolio.storage.position_shelf import PositionShelf
from services.portfolio.storage.repository import PortfolioRepository
from tests.integration.portfolio.conftest import WEEK, Books, new_name

MONDAY = WEEK[0]


async def _opened(books: Books, *symbols: str) -> UUID:
    return UUID((await books.open(*((symbol, "10", MONDAY, "99") for symbol in symbols)))["portfolio_id"])


async def _loaded(books: Books, shelf: PositionShelf, *portfolio_ids: UUID) -> list[Position]:
    async with books.service.unit_of_work.reading() as connection:
        loaded = await shelf.load(portfolio_ids, connection)
        assert loaded == await PortfolioRepository(connection).load_positions(portfolio_ids)
    return loaded


def _same(one: list[Position], other: list[Position]) -> bool:
    return list(map(id, one)) == list(map(id, other))


async def test_position_is_read_again_when_its_book_is_another_one_and_else_not(books: Books) -> None:
    one, two = await _opened(books, new_name(), new_name()), await _opened(books, new_name())
    shelf = PositionShelf()

    first = await _loaded(books, shelf, one, two)
    assert _same(await _loaded(books, shelf, two, one), first)

    changed = await _loaded(books, shelf, one)
    closing = Exit(date(2025, 3, 12), Decimal(101), Decimal(4))
    async with books.service.unit_of_work() as uow:
        edits = EditRepository(uow.connection)
        await edits.replace_position(
            replace(changed[0], terms=replace(changed[0].terms, exits=(closing,), quantity=Decimal(11)))
        )
        # Within the transaction it is seen already.
        assert [entry.terms.exits for entry in await shelf.load([one], uow.connection)] == [(closing,), ()]
    (position, _) = await _loaded(books, shelf, one)
    assert position.terms.quantity == 11
    assert _same(await _loaded(books, shelf, two), [entry for entry in first if entry.portfolio_id == two])

    async with books.service.unit_of_work() as uow:
        await EditRepository(uow.connection).delete_position(position.position_id)
    assert len(await _loaded(books, shelf, one)) == 1


async def test_change_that_is_rolled_back_leaves_nothing_in_memory(books: Books) -> None:
    one, shelf = await _opened(books, new_name()), PositionShelf()
    (position,) = await _loaded(books, shelf, one)

    async with books.service.unit_of_work.trying() as uow:
        other = replace(position, terms=replace(position.terms, quantity=Decimal(11)))
        await EditRepository(uow.connection).replace_position(other)
        assert await shelf.load([one], uow.connection) == [other]

    assert await _loaded(books, shelf, one) == [position]


async def test_no_more_positions_are_kept_than_may_be_and_the_last_ones_stay(books: Books) -> None:
    old, new = await _opened(books, new_name(), new_name()), await _opened(books, new_name(), new_name())
    shelf = PositionShelf(most=3)

    first, second = await _loaded(books, shelf, old), await _loaded(books, shelf, new)

    assert _same(await _loaded(books, shelf, new), second)
    assert not _same(await _loaded(books, shelf, old), first)
