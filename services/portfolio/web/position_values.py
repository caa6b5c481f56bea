"""What positions were worth over HTTP, of many portfolios and sessions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from services.portfolio.storage.snapshot_repository import PositionValueRow, SnapshotRepository, SnapshotRow
from services.portfolio.web.views import PositionValueView
from shared.clock import Clock
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.dependencies import made
from shared.pages import Page, Paging, paged
from shared.selection import PortfolioSelection, Slice
from shared.validators import Held, still_held

# Of an answer: some 650 kB.
MOST_VALUES = 1_000

Snapshots = Annotated[Paging, paged(500, most=5_000, of="snapshots")]


def add_position_values(router: APIRouter, unit_of_work: UnitOfWorkFactory, clock: Clock) -> None:
    """Add the route."""

    @router.get("/position-values", responses=still_held())
    async def list_position_values(
        selection: Annotated[PortfolioSelection, made(PortfolioSelection)], paging: Snapshots, held: Held
    ) -> Page[PositionValueView]:
        """List position values by as_of and portfolio.

        A page has those of at most `limit` snapshots, of fewer where positions are many, and always of whole ones.
        """
        wanted = selection.slice(clock, paging.after(tuple[date, UUID]), paging.wanted)
        async with unit_of_work.reading() as connection:
            repository = SnapshotRepository(connection)
            valued = await repository.list_snapshots(wanted)
            whole, rows = await _values_of(valued[: paging.limit], wanted, repository)
        held.unless_held(revisions_of(valued), valued_of(rows))
        _, following = replace(paging, limit=whole).cut(valued, _key)
        return Page(items=[PositionValueView.of(row) for row in rows], next=following)


def revisions_of(rows: Sequence[SnapshotRow]) -> list[tuple[object, ...]]:
    """Return what makes each snapshot another one."""
    return [(row.portfolio_id, row.as_of, row.revision) for row in rows]


def valued_of(rows: Sequence[PositionValueRow]) -> list[tuple[object, ...]]:
    """Return what makes each position value another one: splits are of the prices of now."""
    return [(row.position_id, row.as_of, row.revision, row.inferred_splits) for row in rows]


async def _values_of(
    valued: Sequence[SnapshotRow], wanted: Slice[UUID], repository: SnapshotRepository
) -> tuple[int, list[PositionValueRow]]:
    """Return of how many of the snapshots an answer holds the values, of one at least, and these."""
    read = await repository.list_position_values(replace(wanted, limit=len(valued)), most=MOST_VALUES + 1)
    cut = (read[-1].as_of, read[-1].portfolio_id) if len(read) > MOST_VALUES else None
    whole = len(valued) if cut is None else [_key(row) for row in valued].index(cut)
    if whole == 0:
        return 1, read
    return whole, [row for row in read if (row.as_of, row.portfolio_id) != cut]


def _key(row: SnapshotRow) -> tuple[date, UUID]:
    return row.as_of, row.portfolio_id
