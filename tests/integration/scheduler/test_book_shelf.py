"""Books that are read again and again: what is given is what is stored, whatever was read before."""

from datetime import date
from uuid import uuid4

import sqlalchemy as sa

from services.scheduler.core.books import Book, Holding
from services.scheduler.storage.book_repository import BookRepository, BookShelf
from shared.service import Service

DAY = date(2025, 3, 14)


def book(symbol: str, *, portfolio_id: str) -> Book:
    return Book(portfolio_id, None, DAY, (Holding(symbol, DAY, None),))


async def test_shelf_gives_the_books_as_they_are_stored_and_reads_what_is_new(scheduler: Service) -> None:
    shelf, one, other = BookShelf(), str(uuid4()), str(uuid4())
    async with scheduler.unit_of_work.trying() as uow:
        repository = BookRepository(uow.connection)
        await repository.store_books([book("A", portfolio_id=one), book("B", portfolio_id=other)])
        first = await shelf.load_books(uow.connection)
        assert first == await repository.load_books()

        # In the same transaction, which the row's writer does not tell apart.
        await repository.store_books([book("C", portfolio_id=one)])
        second = await shelf.load_books(uow.connection)
        assert second == await repository.load_books()
        assert next(found for found in second if found.portfolio_id == one).holdings[0].symbol == "C"
        kept = {found.portfolio_id: found for found in first}
        assert all(found is kept[found.portfolio_id] for found in second if found.portfolio_id != one)

        await uow.connection.execute(sa.text("DELETE FROM books WHERE portfolio_id = :id"), {"id": other})
        assert await shelf.load_books(uow.connection) == await repository.load_books()
    async with scheduler.unit_of_work.reading() as connection:
        assert await shelf.load_books(connection) == await BookRepository(connection).load_books()
