"""The SQL of snapshots and position values: states to go on from, revisions to write, pages to read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.portfolio.core.cents import cents_of, decimal_of
from services.portfolio.core.inheritance import PositionState
from services.portfolio.core.marking import MarkSource
from services.portfolio.core.portfolios import OpeningState
from shared.db.alike import Alike
from shared.db.bulk import Columns, copy_in
from shared.selection import Slice

Key = tuple[UUID, date]
# What is said of a book night after night.
_VALUES: Final = Alike(
    table="book_values",
    within="portfolio_id",
    columns=("position_id", "symbol", "sector", "quantity", "mark_source", "oversold", "splits_known"),
)
_AMOUNTS: Final = frozenset(("market_value", "cost", "pnl", "exit_pnl", "realised_pnl", "dividends", "exposure"))
_SOURCES: Final = {source.name: source for source in MarkSource}


class SnapshotRow(NamedTuple):
    """A portfolio at the end of a session."""

    portfolio_id: UUID
    as_of: date
    revision: int
    known_at: datetime
    digest: str
    code_version: int
    equity: Decimal
    pnl: Decimal
    flow: Decimal
    contributions: Decimal
    withdrawals: Decimal
    cash: Decimal
    long_value: Decimal
    short_value: Decimal
    gross: Decimal
    net: Decimal
    exit_pnl: Decimal
    realised_pnl: Decimal
    dividends: Decimal
    positions: int
    long_positions: int
    short_positions: int
    stale_positions: int
    at_cost_positions: int
    unvalued_positions: int
    stale_gross: Decimal
    oldest_mark: int
    unknown_gains: int
    daily_return: float | None
    daily_return_reason: str | None
    daily_return_detail: str | None
    twr_index: float | None
    twr_index_reason: str | None
    twr_index_detail: str | None


class PositionValueRow(NamedTuple):
    """A position at the end of a session; what is said of options only is none elsewhere."""

    portfolio_id: UUID
    as_of: date
    revision: int
    position_id: UUID
    symbol: str
    sector: str
    quantity: float
    mark: float
    mark_source: str
    mark_age: int
    market_value: Decimal
    cost: Decimal
    pnl: Decimal
    exit_pnl: Decimal
    realised_pnl: Decimal
    dividends: Decimal
    oversold: bool
    splits_known: bool
    value_reason: str | None
    value_detail: str | None
    exposure: Decimal
    underlying: str | None
    delta: float | None
    delta_reason: str | None
    delta_detail: str | None
    volatility: float | None
    implied_volatility: float | None
    implied_volatility_reason: str | None
    implied_volatility_detail: str | None
    gamma: float | None
    vega: float | None
    theta: float | None
    rho: float | None
    inferred_splits: list[date]


_NEWEST = f"""
    SELECT DISTINCT ON (as_of, portfolio_id) {", ".join(SnapshotRow._fields)} FROM snapshots
    WHERE as_of BETWEEN :first AND :last AND (as_of, portfolio_id) > (:after_as_of, :after_subject)
      AND (CAST(:subjects AS uuid[]) IS NULL OR portfolio_id = ANY(CAST(:subjects AS uuid[])))
      AND known_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
    ORDER BY as_of, portfolio_id, revision DESC LIMIT :limit
"""
_STATES = sa.text(
    """
    SELECT position_id, quantity, mark, mark_source, mark_age, market_value, cost, splits_known, value_reason
    FROM book_values_whole v
    WHERE portfolio_id = ANY(CAST(:ids AS uuid[])) AND as_of = :session AND revision = (
        SELECT max(revision) FROM snapshots s WHERE s.portfolio_id = v.portfolio_id AND s.as_of = v.as_of)
    """
)


# Whole books, as long as fewer positions than that stand in those before.
_BOOKS = f"""
    SELECT {", ".join(PositionValueRow._fields[:-1])} FROM (
        SELECT v.*, sum(cardinality(v.position_id)) OVER (ORDER BY as_of, portfolio_id) - cardinality(v.position_id)
            AS before
        FROM ({_NEWEST}) s JOIN book_values_whole v USING (portfolio_id, as_of, revision)
    ) b WHERE CAST(:most AS bigint) IS NULL OR before < :most ORDER BY as_of, portfolio_id
"""
_INFERRED = sa.text(
    """
    SELECT position_id, entry_date, array_agg(session ORDER BY session) AS sessions
    FROM positions p JOIN price_symbols s ON s.symbol = coalesce(p.underlying, p.symbol)
        JOIN price_bars b USING (symbol_id)
    WHERE portfolio_id = ANY(CAST(:ids AS uuid[])) AND inferred AND session > entry_date AND session <= :last
    GROUP BY position_id, entry_date
    """
)


class SnapshotRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def load_opening(self, portfolio_ids: Sequence[UUID], session: date) -> OpeningState:
        """Return the newest revision of the portfolios at the close of a session, where they have one."""
        opening = OpeningState()
        query = sa.text(
            """
            SELECT DISTINCT ON (portfolio_id) portfolio_id, equity, coalesce(twr_index, 'NaN') AS twr_index
            FROM snapshots WHERE portfolio_id = ANY(CAST(:ids AS uuid[])) AND as_of = :session
            ORDER BY portfolio_id, revision DESC
            """
        )
        parameters = {"ids": list(portfolio_ids), "session": session}
        for row in await self._connection.execute(query, parameters):
            opening.equity[row.portfolio_id] = cents_of(row.equity)
            opening.twr_index[row.portfolio_id] = row.twr_index
        for book in await self._connection.execute(_STATES, parameters):
            reasons = book.value_reason or [None] * len(book.position_id)
            sources = map(_SOURCES.__getitem__, book.mark_source)
            amounts = (book.market_value, book.cost)
            said = zip(book.quantity, book.mark, sources, book.mark_age, *amounts, book.splits_known, strict=True)
            for position_id, reason, state in zip(book.position_id, reasons, said, strict=True):
                states_of = opening.positions if reason is None else opening.unvalued
                states_of[position_id] = PositionState(*state)
        return opening

    async def load_closed(
        self, portfolio_ids: Sequence[UUID], position_ids: Sequence[UUID], *, before: date
    ) -> frozenset[UUID]:
        """Return which of the positions have been valued before a session: without a state at it, they are closed."""
        if not position_ids:
            return frozenset()
        query = sa.text(
            """
            SELECT DISTINCT valued FROM book_values_whole, unnest(position_id) AS valued
            WHERE portfolio_id = ANY(CAST(:ids AS uuid[])) AND as_of < :before
              AND valued = ANY(CAST(:position_ids AS uuid[]))
            """
        )
        parameters = {"ids": list(portfolio_ids), "position_ids": list(position_ids), "before": before}
        return frozenset((await self._connection.execute(query, parameters)).scalars())

    async def load_revisions(
        self, portfolio_ids: Sequence[UUID], first: date, last: date
    ) -> dict[Key, tuple[int, str]]:
        """Return the newest (revision, digest) of each snapshot in [first, last]."""
        query = sa.text(
            """
            SELECT DISTINCT ON (portfolio_id, as_of) portfolio_id, as_of, revision, digest FROM snapshots
            WHERE portfolio_id = ANY(CAST(:ids AS uuid[])) AND as_of BETWEEN :first AND :last
            ORDER BY portfolio_id, as_of, revision DESC
            """
        )
        parameters = {"ids": list(portfolio_ids), "first": first, "last": last}
        rows = await self._connection.execute(query, parameters)
        return {(row.portfolio_id, row.as_of): (row.revision, row.digest) for row in rows}

    async def append_snapshots(self, snapshots: Columns, values: Columns) -> None:
        """Write revisions with their position values; the caller holds the portfolios' locks."""
        await copy_in(self._connection, "snapshots", snapshots)
        await self.append_values(values)

    async def append_values(self, values: Columns) -> None:
        """Write the position values of revisions."""
        await copy_in(self._connection, "book_values", await _VALUES.shorten(self._connection, values))

    async def list_snapshots(self, wanted: Slice[UUID]) -> list[SnapshotRow]:
        """Return the newest revision (known at that time) of each snapshot, by as_of and portfolio."""
        rows = await self._connection.execute(sa.text(_NEWEST), wanted.parameters())
        return [SnapshotRow._make(row) for row in rows]

    async def list_position_values(self, wanted: Slice[UUID], *, most: int | None = None) -> list[PositionValueRow]:
        """Return the position values of those snapshots, by as_of, portfolio and symbol; `limit` counts snapshots.

        Books are whole; where `most` is said, there is none behind the one with which there are as many or more.
        """
        found = (await self._connection.execute(sa.text(_BOOKS), {**wanted.parameters(), "most": most})).all()
        if not found:
            return []
        owned = {"ids": list({book.portfolio_id for book in found}), "last": found[-1].as_of}
        splits = {row.position_id: row.sessions for row in await self._connection.execute(_INFERRED, owned)}
        return [row for book in found for row in _unfolded(book, splits)]

    async def find_last_session(self, portfolio_id: UUID, *, until: date, known_at: datetime | None) -> date | None:
        """Return the newest session on or before a date at which the portfolio has a snapshot, as known then."""
        query = sa.text(
            """
            SELECT max(as_of) FROM snapshots WHERE portfolio_id = :portfolio_id AND as_of <= :until
            AND known_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
            """
        )
        parameters = {"portfolio_id": portfolio_id, "until": until, "known_at": known_at}
        session: date | None = await self._connection.scalar(query, parameters)
        return session


def _unfolded(book: sa.Row[Any], splits: Mapping[UUID, Sequence[date]]) -> list[PositionValueRow]:
    """Return the positions of a book by symbol, each as a row, with the splits up to its session."""
    key: tuple[Any, ...] = book[:3]
    said: tuple[Sequence[Any] | None, ...] = book[3:]
    nothing = [None] * len(book.position_id)
    columns: list[Sequence[Any]] = [
        [decimal_of(cents) for cents in values or ()] if name in _AMOUNTS else values or nothing
        for name, values in zip(PositionValueRow._fields[3:-1], said, strict=True)
    ]
    positions: Iterable[tuple[Any, ...]] = zip(*columns, strict=True)
    rows = [
        PositionValueRow._make((*key, *values, [day for day in splits.get(values[0], ()) if day <= book.as_of]))
        for values in positions
    ]
    return sorted(rows, key=lambda row: (row.symbol, row.position_id))
