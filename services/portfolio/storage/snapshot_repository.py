"""The SQL of snapshots and position values: states to go on from, revisions to write, pages to read."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.portfolio.core.cents import cents_of
from services.portfolio.core.inheritance import PositionState
from services.portfolio.core.marking import MarkSource
from services.portfolio.core.portfolios import OpeningState
from shared.db.bulk import Columns, copy_in
from shared.selection import Slice

Key = tuple[UUID, date]
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


_INFERRED = """ARRAY(
    SELECT session FROM positions p JOIN price_symbols s ON s.symbol = coalesce(p.underlying, p.symbol)
        JOIN price_bars b USING (symbol_id)
    WHERE p.position_id = v.position_id AND inferred AND session > p.entry_date AND session <= v.as_of
    ORDER BY session)"""

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
    FROM book_values v
    WHERE portfolio_id = ANY(CAST(:ids AS uuid[])) AND as_of = :session AND revision = (
        SELECT max(revision) FROM snapshots s WHERE s.portfolio_id = v.portfolio_id AND s.as_of = v.as_of)
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
            for place, position_id in enumerate(book.position_id):
                states_of = opening.positions if reasons[place] is None else opening.unvalued
                states_of[position_id] = PositionState(
                    quantity=book.quantity[place],
                    mark=book.mark[place],
                    mark_source=_SOURCES[book.mark_source[place]],
                    mark_age=book.mark_age[place],
                    market_value=book.market_value[place],
                    cost=book.cost[place],
                    splits_known=book.splits_known[place],
                )
        return opening

    async def load_closed(
        self, portfolio_ids: Sequence[UUID], position_ids: Sequence[UUID], *, before: date
    ) -> frozenset[UUID]:
        """Return which of the positions have been valued before a session: without a state at it, they are closed."""
        if not position_ids:
            return frozenset()
        query = sa.text(
            """
            SELECT DISTINCT valued FROM book_values, unnest(position_id) AS valued
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
        await copy_in(self._connection, "book_values", values)

    async def list_snapshots(self, wanted: Slice[UUID]) -> list[SnapshotRow]:
        """Return the newest revision (known at that time) of each snapshot, by as_of and portfolio."""
        rows = await self._connection.execute(sa.text(_NEWEST), wanted.parameters())
        return [SnapshotRow._make(row) for row in rows]

    async def list_position_values(self, wanted: Slice[UUID], *, most: int | None = None) -> list[PositionValueRow]:
        """Return the position values of those snapshots, by as_of, portfolio and symbol; `limit` counts snapshots.

        The first `most` of them, where that is said.
        """
        query = sa.text(
            f"""
            SELECT {", ".join(f"v.{name}" for name in PositionValueRow._fields[:-1])}, {_INFERRED}
            FROM ({_NEWEST}) s JOIN valued_positions v USING (portfolio_id, as_of, revision)
            ORDER BY as_of, portfolio_id, symbol, position_id LIMIT :most
            """
        )
        rows = await self._connection.execute(query, {**wanted.parameters(), "most": most})
        return [PositionValueRow._make(row) for row in rows]

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
