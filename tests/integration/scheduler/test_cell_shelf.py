"""Cells that are read again and again: how they stand is what is stored, whatever was read before."""

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.cells import Fact, Grid, grid_of, state_at
from services.scheduler.storage import cell_shelf
from services.scheduler.storage.cell_repository import CellRepository
from services.scheduler.storage.cell_rows import cell_parts
from services.scheduler.storage.cell_shelf import CellShelf, Range
from shared.contracts.event import Event
from shared.service import Service
from tests.integration.scheduler.events import make_known, prices, valued
from tests.support.runs import make_run

MONDAY, TUESDAY = date(2016, 3, 14), date(2016, 3, 15)
NOON, LATER = datetime(2016, 3, 16, 12, tzinfo=UTC), datetime(2016, 3, 16, 13, tzinfo=UTC)
EVERYTHING = Range(MONDAY, TUESDAY, tuple(Fact))


async def _as_stored(connection: AsyncConnection) -> Grid:
    return grid_of(await CellRepository(connection).load_parts(MONDAY, TUESDAY, tuple(Fact)))


async def _append(connection: AsyncConnection, event: Event, *, asked_at: datetime | None = NOON) -> None:
    await CellRepository(connection).append_parts(event, cell_parts(event), asked_at=asked_at)


async def test_shelf_gives_cells_as_they_are_stored_and_reads_what_more_is_said_of(scheduler: Service) -> None:
    shelf, book = CellShelf(), uuid4()
    monday = make_run(first_session=MONDAY, last_session=MONDAY)
    both = make_run(first_session=MONDAY, last_session=TUESDAY)
    unknown = make_run(first_session=TUESDAY, last_session=TUESDAY)
    await make_known(scheduler, unknown)
    async with scheduler.unit_of_work.trying() as uow:
        await _append(uow.connection, prices(both, "A", missing=("B",)))
        first = await shelf.load_grid(uow.connection, EVERYTHING)
        assert first == await _as_stored(uow.connection)

        # In the same transaction, which the row's writer does not tell apart.
        await _append(uow.connection, prices(monday, "B"), asked_at=LATER)
        await _append(uow.connection, valued(monday, book), asked_at=LATER)
        second = await shelf.load_grid(uow.connection, EVERYTHING)
        assert second == await _as_stored(uow.connection)
        assert state_at(second, MONDAY, Fact.BARS).is_done("B")
        assert second[TUESDAY, Fact.BARS] is first[TUESDAY, Fact.BARS]

        await _append(uow.connection, prices(unknown, "B"), asked_at=None)
        assert (await shelf.load_grid(uow.connection, EVERYTHING)).items() == second.items()
        await CellRepository(uow.connection).adopt_parts(unknown.run_id)
        third = await shelf.load_grid(uow.connection, EVERYTHING)
        assert third == await _as_stored(uow.connection)
        assert third != second

        # As many as before.
        await uow.connection.execute(sa.text("DELETE FROM cell_parts WHERE run_id = :id"), {"id": monday.run_id})
        instead = make_run(first_session=MONDAY, last_session=MONDAY)
        await _append(uow.connection, prices(instead, "C"), asked_at=LATER)
        fourth = await shelf.load_grid(uow.connection, EVERYTHING)
        assert fourth == await _as_stored(uow.connection)
        assert state_at(fourth, MONDAY, Fact.BARS).is_done("C")
    async with scheduler.unit_of_work.reading() as connection:
        assert await shelf.load_grid(connection, EVERYTHING) == await _as_stored(connection)


async def test_shelf_keeps_no_more_than_so_many_cells(scheduler: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_shelf, "_MOST_CELLS", 2)
    shelf, facts = CellShelf(), (Fact.BARS,)
    run = make_run(first_session=MONDAY, last_session=TUESDAY)
    async with scheduler.unit_of_work.trying() as uow:
        await _append(uow.connection, prices(run, "A", "B"))
        whole = await shelf.load_grid(uow.connection, Range(MONDAY, TUESDAY, facts))
        assert whole == await _as_stored(uow.connection)
        again = await shelf.load_grid(uow.connection, Range(MONDAY, TUESDAY, facts))
        assert again == whole
        assert again[TUESDAY, Fact.BARS] is whole[TUESDAY, Fact.BARS]
        assert again[MONDAY, Fact.BARS] is not whole[MONDAY, Fact.BARS]
