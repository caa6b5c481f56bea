"""Value a shard of portfolios over the sessions that are due, oldest first."""

import asyncio

from services.portfolio.announcing import portfolios_valued
from services.portfolio.core.book import Window
from services.portfolio.repository import PortfolioRepository
from services.portfolio.revising import revisions_of, snapshot_columns, value_columns
from services.portfolio.rolling import RollInputs, roll
from services.portfolio.snapshot_repository import SnapshotRepository
from shared.calendar import sessions_between, shift_session
from shared.contracts.portfolio import PortfolioDue
from shared.conventions import HISTORY_SESSIONS
from shared.db.unit_of_work import UnitOfWork
from shared.prices.panel import PricePanel


async def value_portfolios(event: PortfolioDue, uow: UnitOfWork, *, panel: PricePanel) -> None:
    """Load books, prices and the state to go on from; roll forward; store what has changed; announce."""
    snapshots = SnapshotRepository(uow.connection)
    inputs = await _gather(event, PortfolioRepository(uow.connection), snapshots, panel)

    rolled = await asyncio.to_thread(roll, inputs)

    stored = await snapshots.load_revisions(event.portfolio_ids, event.first_session, event.last_session)
    revisions = revisions_of(rolled, stored)
    await snapshots.append_snapshots(snapshot_columns(rolled, revisions, event), value_columns(rolled, revisions))

    uow.emit(portfolios_valued(event, rolled, revisions))


async def _gather(
    event: PortfolioDue, repository: PortfolioRepository, snapshots: SnapshotRepository, panel: PricePanel
) -> RollInputs:
    # The lock is the claim on the slots of these portfolios: held until the commit, gone with a process that dies.
    portfolios = await repository.load_portfolios(event.portfolio_ids, lock=True)
    positions = await repository.load_positions(event.portfolio_ids)
    await panel.refresh()
    sessions = tuple(sessions_between(event.first_session, event.last_session))
    window = Window(shift_session(event.first_session, -1), sessions)
    symbols = sorted({position.terms.symbol for position in positions})
    opening = await snapshots.load_opening(event.portfolio_ids, window.opening)
    sectors = await repository.load_sectors(symbols)
    unknown = [
        position.position_id
        for position in positions
        if position.position_id not in opening.positions and position.terms.entry_date <= window.opening
    ]
    return RollInputs(
        portfolios=tuple(portfolios),
        positions=tuple(positions),
        flows=tuple(await repository.load_flows(event.portfolio_ids)),
        opening=opening,
        window=window,
        closed=await snapshots.load_closed(event.portfolio_ids, unknown, before=window.opening),
        sectors=tuple(sectors[position.terms.symbol] for position in positions),
        before=panel.window(symbols if unknown else (), last=window.opening, sessions=HISTORY_SESSIONS),
        during=panel.window(symbols, last=sessions[-1], sessions=len(sessions)),
    )
