"""The SQL of portfolio: books as people enter them, where each portfolio stands, and the calculations asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.portfolio.core.inheritance import SplitHistory
from services.portfolio.core.portfolios import Portfolio
from services.portfolio.core.positions import Basis, Exit, Flow, OptionTerms, Position, PositionTerms, PositionType
from shared.contracts.market_data import Profile
from shared.contracts.run import RunKind
from shared.db.bulk import Columns, Replacing, upsert
from shared.sectors import UNCLASSIFIED, sector_name


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a portfolio stands: its newest snapshot, and from when on its prices have changed since.

    An option counts as four positions: as much longer is what is said of it.
    """

    portfolio_id: UUID
    opened_on: date
    last_snapshot: date | None
    first_changed: date | None
    positions: int
    closed_on: date | None


@dataclass(frozen=True, slots=True)
class Calculation:
    """A run that was asked for here: for which book, up to which session."""

    run_id: UUID
    portfolio_id: UUID
    kind: RunKind
    last_session: date
    book_digest: str


class PortfolioRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_portfolio(self, portfolio: Portfolio) -> bool:
        """Store a new portfolio; tell if the name was free."""
        statement = sa.text(
            """
            INSERT INTO portfolios (portfolio_id, name, opened_on, opening_equity, currency, owner)
            VALUES (:portfolio_id, :name, :opened_on, :opening_equity, :currency, :owner)
            ON CONFLICT (name) DO NOTHING RETURNING portfolio_id
            """
        )
        parameters = {
            "portfolio_id": portfolio.portfolio_id,
            "name": portfolio.name,
            "opened_on": portfolio.opened_on,
            "opening_equity": portfolio.opening_equity,
            "currency": portfolio.currency,
            "owner": portfolio.owner,
        }
        return await self._connection.scalar(statement, parameters) is not None

    async def close_portfolio(self, portfolio_id: UUID, closed_on: date | None) -> None:
        """Store the last session of a portfolio; None: it goes on."""
        statement = sa.text("UPDATE portfolios SET closed_on = :closed_on WHERE portfolio_id = :portfolio_id")
        await self._connection.execute(statement, {"portfolio_id": portfolio_id, "closed_on": closed_on})

    async def describe_portfolio(self, portfolio: Portfolio) -> bool:
        """Store what a portfolio is called, and whose it is; tell if the name was free."""
        statement = sa.text("UPDATE portfolios SET name = :name, owner = :owner WHERE portfolio_id = :portfolio_id")
        parameters = {"portfolio_id": portfolio.portfolio_id, "name": portfolio.name, "owner": portfolio.owner}
        try:
            async with self._connection.begin_nested():
                await self._connection.execute(statement, parameters)
        except IntegrityError:
            return False
        return True

    async def store_positions(self, positions: Sequence[Position]) -> None:
        """Store positions with their exits; one that is there gets new terms, and its exits beside those it has."""
        terms = [position.terms for position in positions]
        columns: Columns = {
            "position_id": [position.position_id for position in positions],
            "portfolio_id": [position.portfolio_id for position in positions],
            "symbol": [entry.symbol for entry in terms],
            "kind": [entry.kind.value for entry in terms],
            "quantity": [entry.quantity for entry in terms],
            "entry_date": [entry.entry_date for entry in terms],
            "entry_price": [entry.entry_price for entry in terms],
            "subtype": [entry.subtype for entry in terms],
            "underlying": [entry.option and entry.option.underlying for entry in terms],
            "strike": [entry.option and entry.option.strike for entry in terms],
            "expiration": [entry.option and entry.option.expiration for entry in terms],
            "basis": [entry.basis.value for entry in terms],
        }
        await upsert(self._connection, "positions", columns, key=("position_id",))
        await self._append_exits(
            [(position.position_id, entry) for position in positions for entry in position.terms.exits]
        )

    async def _append_exits(self, exits: Sequence[tuple[UUID, Exit]]) -> None:
        columns: Columns = {
            "exit_id": [uuid4() for _ in exits],
            "position_id": [position_id for position_id, _ in exits],
            # Those of one day in the order in which they happened.
            "place": list(range(len(exits))),
            "exit_date": [entry.on for _, entry in exits],
            "price": [entry.price for _, entry in exits],
            "quantity": [entry.quantity for _, entry in exits],
        }
        await upsert(self._connection, "position_exits", columns, key=("exit_id",))

    async def append_flow(self, flow_id: UUID, flow: Flow) -> None:
        """Store money paid in or taken out."""
        statement = sa.text(
            "INSERT INTO flows (flow_id, portfolio_id, flow_date, amount, reference) "
            "VALUES (:flow_id, :portfolio_id, :on, :amount, :reference)"
        )
        await self._connection.execute(statement, {"flow_id": flow_id, **asdict(flow)})

    async def load_portfolios(self, portfolio_ids: Sequence[UUID], *, lock: bool = False) -> list[Portfolio]:
        """Return the portfolios by id; with `lock`, nobody else changes or values them meanwhile."""
        query = sa.text(
            "SELECT portfolio_id, name, opened_on, opening_equity, currency, closed_on, owner FROM portfolios "
            "WHERE portfolio_id = ANY(CAST(:ids AS uuid[])) ORDER BY portfolio_id" + (" FOR UPDATE" if lock else "")
        )
        rows = await self._connection.execute(query, {"ids": list(portfolio_ids)})
        return [Portfolio(*row) for row in rows]

    async def list_portfolios(
        self, symbol: str | None, *, named: str | None, after: str, limit: int
    ) -> list[Portfolio]:
        """Return portfolios by name: all, those with positions in a symbol or options on it, those named like that."""
        query = sa.text(
            """
            SELECT portfolio_id, name, opened_on, opening_equity, currency, closed_on, owner FROM portfolios p
            WHERE name > :after AND (CAST(:symbol AS text) IS NULL OR EXISTS (
                SELECT 1 FROM positions q
                WHERE q.portfolio_id = p.portfolio_id AND (q.symbol = :symbol OR q.underlying = :symbol)))
              AND (CAST(:named AS text) IS NULL OR strpos(lower(name), lower(:named)) > 0)
            ORDER BY name LIMIT :limit
            """
        )
        parameters = {"symbol": symbol, "named": named, "after": after, "limit": limit}
        rows = await self._connection.execute(query, parameters)
        return [Portfolio(*row) for row in rows]

    async def load_positions(self, portfolio_ids: Sequence[UUID]) -> list[Position]:
        """Return the positions of the portfolios with their exits, by portfolio and id."""
        query = sa.text(
            """
            SELECT position_id, portfolio_id, symbol, kind, trim_scale(quantity) AS quantity, entry_date,
                   trim_scale(entry_price) AS entry_price, subtype, underlying, trim_scale(strike) AS strike,
                   expiration, basis
            FROM positions WHERE portfolio_id = ANY(CAST(:ids AS uuid[])) ORDER BY portfolio_id, position_id
            """
        )
        parameters = {"ids": list(portfolio_ids)}
        exits = await self._load_exits(parameters)
        rows = await self._connection.execute(query, parameters)
        return [
            Position(row.position_id, row.portfolio_id, _terms(row, exits.get(row.position_id, ()))) for row in rows
        ]

    async def _load_exits(self, parameters: Mapping[str, Any]) -> dict[UUID, tuple[Exit, ...]]:
        query = sa.text(
            """
            SELECT position_id, exit_date, trim_scale(price), trim_scale(e.quantity)
            FROM position_exits e JOIN positions USING (position_id)
            WHERE portfolio_id = ANY(CAST(:ids AS uuid[])) ORDER BY position_id, exit_date, place, exit_id
            """
        )
        exits: dict[UUID, tuple[Exit, ...]] = {}
        for position_id, on, price, quantity in await self._connection.execute(query, parameters):
            exits[position_id] = (*exits.get(position_id, ()), Exit(on, price, quantity))
        return exits

    async def load_flows(self, portfolio_ids: Sequence[UUID]) -> list[Flow]:
        """Return the flows of the portfolios by date."""
        query = sa.text(
            "SELECT portfolio_id, flow_date, amount, reference FROM flows "
            "WHERE portfolio_id = ANY(CAST(:ids AS uuid[])) ORDER BY flow_date, flow_id"
        )
        return [Flow(*row) for row in await self._connection.execute(query, {"ids": list(portfolio_ids)})]

    async def store_profiles(self, profiles: Sequence[Profile]) -> None:
        """Keep what tells the sector and the currency of a symbol; older news change nothing."""
        columns: Columns = {
            "symbol": [profile.symbol for profile in profiles],
            "sector": [profile.sector for profile in profiles],
            "is_etf": [profile.is_etf for profile in profiles],
            "currency": [profile.currency for profile in profiles],
            "fetched_at": [profile.fetched_at for profile in profiles],
        }
        newer = Replacing(position="fetched_at")
        await upsert(self._connection, "profiles", columns, key=("symbol",), replacing=newer)

    async def load_currencies(self, symbols: Sequence[str]) -> dict[str, str]:
        """Return the currency in which each symbol is quoted, where it is known."""
        query = sa.text(
            "SELECT symbol, currency FROM profiles "
            "WHERE symbol = ANY(CAST(:symbols AS text[])) AND currency IS NOT NULL"
        )
        rows = await self._connection.execute(query, {"symbols": list(symbols)})
        return {row.symbol: row.currency for row in rows}

    async def load_sectors(self, symbols: Sequence[str]) -> dict[str, str]:
        """Return the sector under which each symbol is reported."""
        query = sa.text("SELECT symbol, sector, is_etf FROM profiles WHERE symbol = ANY(CAST(:symbols AS text[]))")
        rows = await self._connection.execute(query, {"symbols": list(symbols)})
        known = {row.symbol: sector_name(row.sector, is_etf=row.is_etf) for row in rows}
        return dict.fromkeys(symbols, UNCLASSIFIED) | known

    async def load_splits(self, symbols: Sequence[str], *, until: date) -> dict[str, SplitHistory]:
        """Return the splits of each symbol up to a session, and from when until when they are known."""
        query = sa.text(
            """
            SELECT symbol, since, last, splits.session, splits.split FROM price_symbols s,
                LATERAL (
                    SELECT min(session) AS since, max(session) AS last FROM price_bars
                    WHERE symbol_id = s.symbol_id AND close IS NOT NULL) first LEFT JOIN
                LATERAL (
                    SELECT session, split FROM price_bars
                    WHERE symbol_id = s.symbol_id AND split <> 1 AND session <= :until) splits ON true
            WHERE symbol = ANY(CAST(:symbols AS text[])) ORDER BY symbol, splits.session
            """
        )
        found: dict[str, SplitHistory] = {}
        for symbol, since, last, session, split in await self._connection.execute(
            query, {"symbols": list(symbols), "until": until}
        ):
            known = found.get(symbol, SplitHistory(since, last=last))
            found[symbol] = known if session is None else replace(known, splits=(*known.splits, (session, split)))
        return found

    async def store_price_changes(self) -> None:
        """Remember which bars of this transaction lie on sessions that snapshots have been taken of.

        A late or corrected close, a split or a dividend that became known afterwards: whoever holds the symbol is
        valued again from there.
        """
        statement = sa.text(
            """
            INSERT INTO price_changes (symbol_id, first_session, written_by)
            SELECT symbol_id, min(session), pg_current_xact_id()::text::bigint FROM price_bars
            WHERE written_by = pg_current_xact_id() AND session <= (SELECT max(as_of) FROM snapshots)
            GROUP BY symbol_id
            """
        )
        await self._connection.execute(statement)

    async def load_horizon(self) -> int:
        """Return the transaction id below which everything is visible from now on."""
        query = sa.text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return int((await self._connection.execute(query)).scalar_one())

    async def load_progress(self, portfolio_ids: Sequence[UUID] | None) -> list[Progress]:
        """Return where the portfolios (None: all) stand, by id."""
        query = sa.text(
            """
            SELECT f.portfolio_id, opened_on, s.last_snapshot, c.first_changed, p.positions, closed_on
            FROM portfolios f,
                LATERAL (
                    SELECT count(*) + 3 * count(underlying) AS positions FROM positions
                    WHERE portfolio_id = f.portfolio_id) p,
                LATERAL (
                    SELECT max(as_of) AS last_snapshot, max(prices_seen_below) AS seen_below FROM (
                        SELECT as_of, prices_seen_below FROM snapshots WHERE portfolio_id = f.portfolio_id
                        ORDER BY as_of DESC, revision DESC LIMIT 1) newest) s,
                LATERAL (
                    SELECT min(first_session) AS first_changed
                    FROM price_changes JOIN price_symbols c USING (symbol_id)
                        JOIN positions h ON c.symbol IN (h.symbol, h.underlying)
                    WHERE h.portfolio_id = f.portfolio_id AND written_by >= s.seen_below
                      AND first_session <= s.last_snapshot) c
            WHERE CAST(:ids AS uuid[]) IS NULL OR f.portfolio_id = ANY(CAST(:ids AS uuid[]))
            ORDER BY f.portfolio_id
            """
        )
        parameters = {"ids": None if portfolio_ids is None else list(portfolio_ids)}
        return [Progress(*row) for row in await self._connection.execute(query, parameters)]

    async def store_calculation(self, calculation: Calculation) -> bool:
        """Open a calculation unless the same one is under way; tell if it is new."""
        statement = sa.text(
            """
            INSERT INTO calculations (run_id, portfolio_id, kind, last_session, book_digest)
            VALUES (:run_id, :portfolio_id, :kind, :last_session, :book_digest)
            ON CONFLICT DO NOTHING RETURNING run_id
            """
        )
        return await self._connection.scalar(statement, _calculation(calculation)) is not None

    async def find_active_calculation(self, calculation: Calculation) -> UUID | None:
        """Return the run that a request for the same calculation joins, if there is one."""
        query = sa.text(
            """
            SELECT run_id FROM calculations WHERE portfolio_id = :portfolio_id AND kind = :kind
            AND last_session = :last_session AND book_digest = :book_digest AND finished_at IS NULL
            """
        )
        run_id: UUID | None = (await self._connection.execute(query, _calculation(calculation))).scalar_one_or_none()
        return run_id

    async def count_open_calculations(self, longest: timedelta) -> int:
        """Return how many calculations have not ended, without those that have been open for longer."""
        query = sa.text(
            "SELECT count(*) FROM calculations "
            "WHERE finished_at IS NULL AND requested_at > clock_timestamp() - CAST(:longest AS interval)"
        )
        return int(await self._connection.scalar(query, {"longest": longest}) or 0)

    async def close_calculation(self, run_id: UUID) -> None:
        """Mark the calculation as ended, if it is one of ours."""
        statement = sa.text(
            "UPDATE calculations SET finished_at = clock_timestamp() WHERE run_id = :run_id AND finished_at IS NULL"
        )
        await self._connection.execute(statement, {"run_id": run_id})


def _calculation(calculation: Calculation) -> dict[str, Any]:
    return {
        "run_id": calculation.run_id,
        "portfolio_id": calculation.portfolio_id,
        "kind": calculation.kind.value,
        "last_session": calculation.last_session,
        "book_digest": calculation.book_digest,
    }


def _terms(row: Any, exits: tuple[Exit, ...]) -> PositionTerms:
    option = None if row.underlying is None else OptionTerms(row.underlying, row.strike, row.expiration)
    return PositionTerms(
        symbol=row.symbol,
        kind=PositionType(row.kind),
        quantity=row.quantity,
        entry_date=row.entry_date,
        entry_price=row.entry_price,
        exits=exits,
        subtype=row.subtype,
        option=option,
        basis=Basis(row.basis),
    )
