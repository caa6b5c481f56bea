"""Loading what a roll needs."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.portfolio.core.assembly import Window
from services.portfolio.core.currency import mismatches
from services.portfolio.core.portfolios import OpeningState
from services.portfolio.core.positions import Position
from services.portfolio.core.roll import RollInputs
from services.portfolio.storage.position_shelf import PositionShelf
from services.portfolio.storage.rate_repository import RateRepository
from services.portfolio.storage.repository import PortfolioRepository
from services.portfolio.storage.snapshot_repository import SnapshotRepository
from shared.calendar import session_on_or_after, session_on_or_before, sessions_between, shift_session
from shared.conventions import HISTORY_SESSIONS, SESSIONS_PER_YEAR
from shared.prices.panel import PricePanel


async def gather(
    portfolio_ids: Sequence[UUID],
    sessions: tuple[date, ...],
    *,
    connection: AsyncConnection,
    panel: PricePanel,
    shelf: PositionShelf,
    lock: bool = False,
) -> RollInputs:
    """Load books, prices and the state to go on from for consecutive sessions; with `lock`, nobody else meanwhile."""
    repository, snapshots = PortfolioRepository(connection), SnapshotRepository(connection)
    portfolios = await repository.load_portfolios(portfolio_ids, lock=lock)
    positions = await shelf.load(portfolio_ids, connection)
    await panel.refresh()
    window = Window(shift_session(sessions[0], -1), sessions)
    underlyings = {position.terms.option.underlying for position in positions if position.terms.option is not None}
    symbols = sorted(underlyings.union(position.terms.symbol for position in positions))
    settles = _settlements(positions)
    opening = await snapshots.load_opening(portfolio_ids, window.opening)
    unvalued = mismatches(positions, portfolios, await repository.load_currencies(symbols))
    # One that was held without a value and has one from now on is taken over as a new one is.
    states = opening.positions.keys() | (opening.unvalued.keys() & unvalued.keys())
    unknown = [
        position
        for position in positions
        if position.position_id not in states and position.terms.entry_date <= window.opening
    ]
    closed = [position.position_id for position in unknown if position.position_id not in opening.unvalued]
    split_as = sorted({position.terms.split_as for position in unknown})
    return RollInputs(
        portfolios=tuple(portfolios),
        positions=tuple(positions),
        flows=tuple(await repository.load_flows(portfolio_ids)),
        opening=opening,
        window=window,
        closed=await snapshots.load_closed(portfolio_ids, closed, before=window.opening)
        | _settled(positions, opening, settles, window.opening),
        sectors=await repository.load_sectors(symbols),
        splits=await repository.load_splits(split_as, until=window.opening),
        before=panel.window(symbols if unknown else (), last=window.opening, sessions=HISTORY_SESSIONS),
        during=panel.window(symbols, last=sessions[-1], sessions=len(sessions)),
        underlyings=panel.window(sorted(underlyings), last=sessions[-1], sessions=_reach(positions, sessions)),
        settles=settles,
        unvalued=unvalued,
        rates=await RateRepository(connection).load_rates(sessions[-1]) if underlyings else None,
    )


def _reach(positions: Sequence[Position], sessions: Sequence[date]) -> int:
    """Return how many sessions of the underlyings are needed: a year of dividends, the splits since the entries."""
    entries = [position.terms.entry_date for position in positions if position.terms.option is not None]
    since = sessions_between(min(entries, default=sessions[-1]), sessions[-1])
    return max(len(since), len(sessions) + SESSIONS_PER_YEAR)


def _settlements(positions: Sequence[Position]) -> dict[UUID, date]:
    """Return the session that settles each option."""
    return {
        position.position_id: _settlement(position.terms.option.expiration, position.terms.entry_date)
        for position in positions
        if position.terms.option is not None
    }


def _settlement(expiration: date, entered: date) -> date:
    """Return the session of the expiration or the last before, never one before the entry is booked."""
    booked = session_on_or_after(entered)
    return booked if expiration < booked else session_on_or_before(expiration)


def _settled(
    positions: Sequence[Position], opening: OpeningState, settles: Mapping[UUID, date], day: date
) -> frozenset[UUID]:
    """Return the options without a state at the opening that had been settled by then."""
    return frozenset(
        position.position_id
        for position in positions
        if position.terms.option is not None
        and position.position_id not in opening.positions
        and settles[position.position_id] <= day
    )
