"""Loading what a roll needs."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.portfolio.core.book import Window
from services.portfolio.core.positions import Position
from services.portfolio.repository import PortfolioRepository
from services.portfolio.rolling import RollInputs
from services.portfolio.snapshot_repository import OpeningState, SnapshotRepository
from shared.calendar import sessions_between, shift_session
from shared.conventions import HISTORY_SESSIONS, OPTION_VOLATILITY_WINDOW
from shared.prices.panel import PricePanel


async def gather(
    portfolio_ids: Sequence[UUID],
    sessions: tuple[date, ...],
    *,
    connection: AsyncConnection,
    panel: PricePanel,
    lock: bool = False,
) -> RollInputs:
    """Load books, prices and the state to go on from for consecutive sessions; with `lock`, nobody else meanwhile."""
    repository, snapshots = PortfolioRepository(connection), SnapshotRepository(connection)
    portfolios = await repository.load_portfolios(portfolio_ids, lock=lock)
    positions = await repository.load_positions(portfolio_ids)
    await panel.refresh()
    window = Window(shift_session(sessions[0], -1), sessions)
    contracts = [position.terms.option for position in positions if position.terms.option is not None]
    underlyings = {contract.underlying for contract in contracts}
    symbols = sorted(underlyings.union(position.terms.symbol for position in positions))
    settles = {contract.expiration: shift_session(contract.expiration, 0) for contract in contracts}
    opening = await snapshots.load_opening(portfolio_ids, window.opening)
    sectors = await repository.load_sectors(symbols)
    unknown = [
        position.position_id
        for position in positions
        if position.position_id not in opening.positions and position.terms.entry_date <= window.opening
    ]
    return RollInputs(
        portfolios=tuple(portfolios),
        positions=tuple(positions),
        flows=tuple(await repository.load_flows(portfolio_ids)),
        opening=opening,
        window=window,
        closed=await snapshots.load_closed(portfolio_ids, unknown, before=window.opening)
        | _settled(positions, opening, settles, window.opening),
        sectors=tuple(sectors[position.terms.symbol] for position in positions),
        before=panel.window(symbols if unknown else (), last=window.opening, sessions=HISTORY_SESSIONS),
        during=panel.window(symbols, last=sessions[-1], sessions=len(sessions)),
        underlyings=panel.window(sorted(underlyings), last=sessions[-1], sessions=_reach(positions, sessions)),
        settles=settles,
    )


def _reach(positions: Sequence[Position], sessions: Sequence[date]) -> int:
    """Return how many sessions of the underlyings are needed: their volatility, and their splits since the entries."""
    entries = [position.terms.entry_date for position in positions if position.terms.option is not None]
    since = sessions_between(min(entries, default=sessions[-1]), sessions[-1])
    return max(len(since), len(sessions) + OPTION_VOLATILITY_WINDOW)


def _settled(
    positions: Sequence[Position], opening: OpeningState, settles: Mapping[date, date], day: date
) -> frozenset[UUID]:
    """Return the options that had been settled at the opening without ever having been valued here."""
    return frozenset(
        position.position_id
        for position in positions
        if position.terms.option is not None
        and position.position_id not in opening.positions
        and settles[position.terms.option.expiration] <= day
    )
