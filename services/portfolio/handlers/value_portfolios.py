"""Value a shard of portfolios over the sessions that are due, oldest first."""

import asyncio

from services.portfolio.core.roll import roll_shard
from services.portfolio.events import next_part, portfolios_valued
from services.portfolio.storage.delivered import store_delivered
from services.portfolio.storage.inputs import gather
from services.portfolio.storage.position_shelf import PositionShelf
from services.portfolio.storage.rows import revisions_of, snapshot_columns, value_columns
from services.portfolio.storage.snapshot_repository import SnapshotRepository
from shared.calendar import sessions_between
from shared.contracts.portfolio import PortfolioDue
from shared.db.unit_of_work import UnitOfWork
from shared.prices.panel import PricePanel


async def value_portfolios(event: PortfolioDue, uow: UnitOfWork, *, panel: PricePanel, shelf: PositionShelf) -> None:
    """Load books, prices and the state to go on from; roll forward; store what has changed; announce; hand on."""
    snapshots = SnapshotRepository(uow.connection)
    sessions = tuple(sessions_between(event.first_session, event.last_session))
    # The lock is the claim on the slots of these portfolios: held until the commit, gone with a process that dies.
    inputs = await gather(event.portfolio_ids, sessions, connection=uow.connection, panel=panel, shelf=shelf, lock=True)

    rolled, refused = await asyncio.to_thread(roll_shard, inputs)

    stored = await snapshots.load_revisions(event.portfolio_ids, event.first_session, event.last_session)
    revisions = revisions_of(rolled, stored)
    await store_delivered(inputs, rolled, uow.connection)
    await snapshots.append_snapshots(snapshot_columns(rolled, revisions, event), value_columns(rolled, revisions))

    following = next_part(event, without=refused)
    uow.emit(portfolios_valued(event, rolled, revisions, refused=refused), *([following] if following else []))
