"""The SQL of the books: who holds what from when until when, as their owners have said."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.books import Book, Holding

_HOLDINGS = TypeAdapter(tuple[Holding, ...])
_INSERT = (
    "INSERT INTO books (portfolio_id, name, opened_on, holdings, closed_on, owner, edits) "
    "VALUES (:portfolio_id, :name, :opened_on, CAST(:holdings AS jsonb), :closed_on, :owner, :edits) "
    "ON CONFLICT (portfolio_id) DO "
)
_STATE = sa.text(
    f"{_INSERT} UPDATE SET name = excluded.name, opened_on = excluded.opened_on, holdings = excluded.holdings, "
    "closed_on = excluded.closed_on, owner = excluded.owner, edits = excluded.edits, "
    "recorded_at = clock_timestamp() WHERE books.edits <= excluded.edits"
)
_SEE = sa.text(f"{_INSERT} NOTHING")
_COLUMNS = "portfolio_id, name, opened_on, holdings::text AS holdings, closed_on, owner"
# Every version of a row has a place and a writer of its own, also within one transaction.
_VERSION = "ctid::text || ' ' || xmin::text AS version"


class BookShelf:
    """Books as they were last read, for who reads all of them at every request: only what is new is read again.

    Whose books a connection sees, the database decides each time.
    """

    def __init__(self) -> None:
        self._books: dict[UUID, tuple[str, Book]] = {}

    async def load_books(self, connection: AsyncConnection) -> list[Book]:
        """Return all books that the connection sees as they are stored now, by portfolio."""
        rows = await connection.execute(sa.text(f"SELECT portfolio_id, {_VERSION} FROM books ORDER BY portfolio_id"))
        versions: dict[UUID, str] = {row.portfolio_id: row.version for row in rows}
        missing = [
            portfolio_id
            for portfolio_id, version in versions.items()
            if self._books.get(portfolio_id, ("", None))[0] != version
        ]
        if missing:
            query = sa.text(f"SELECT {_COLUMNS}, {_VERSION} FROM books WHERE portfolio_id = ANY(:missing)")
            for row in await connection.execute(query, {"missing": missing}):
                self._books[row.portfolio_id] = row.version, _book(row)
        return [self._books[portfolio_id][1] for portfolio_id in versions if portfolio_id in self._books]


class BookRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_books(self, books: Sequence[Book]) -> None:
        """Store what the owners of these books say; the last one counts, but for one after fewer edits."""
        if books:
            await self._connection.execute(_STATE, [_row(book) for book in books])

    async def append_unknown(self, books: Sequence[Book]) -> None:
        """Store those of the books that nobody has told of."""
        if books:
            await self._connection.execute(_SEE, [_row(book) for book in books])

    async def find_unknown(self, portfolio_ids: Collection[UUID]) -> frozenset[UUID]:
        """Return those of the portfolios of whose books nothing is stored."""
        query = sa.text("SELECT portfolio_id FROM books WHERE portfolio_id = ANY(:portfolio_ids)")
        known = await self._connection.scalars(query, {"portfolio_ids": list(portfolio_ids)})
        return frozenset(portfolio_ids).difference(known)

    async def load_books(self, portfolio_ids: Sequence[UUID] | None = None) -> list[Book]:
        """Return these books, or all, by portfolio."""
        query = sa.text(
            f"SELECT {_COLUMNS} FROM books "
            "WHERE CAST(:portfolio_ids AS uuid[]) IS NULL OR portfolio_id = ANY(:portfolio_ids) ORDER BY portfolio_id"
        )
        ids = None if portfolio_ids is None else list(portfolio_ids)
        return [_book(row) for row in await self._connection.execute(query, {"portfolio_ids": ids})]


def _row(book: Book) -> dict[str, Any]:
    return {
        "portfolio_id": UUID(book.portfolio_id),
        "name": book.name,
        "opened_on": book.opened_on,
        "holdings": _HOLDINGS.dump_json(book.holdings).decode(),
        "closed_on": book.closed_on,
        "owner": book.owner,
        "edits": book.edits,
    }


def _book(row: Any) -> Book:
    holdings = _HOLDINGS.validate_json(row.holdings)
    return Book(str(row.portfolio_id), row.name, row.opened_on, holdings, row.closed_on, row.owner)
