"""How cells stand as they were last read, for who asks for all of them: only of what is new anything is read again."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.cells import NOTHING_SAID, Fact, FactState, Grid, grid_of
from services.scheduler.storage.cell_repository import CellRepository

# Some 100 bytes each.
_MOST_CELLS: Final = 500_000
_Key = tuple[date, Fact]


@dataclass(frozen=True, slots=True)
class Range:
    """The facts and the sessions, from the first to the last, whose cells are asked for."""

    first: date
    last: date
    facts: Sequence[Fact]


@dataclass(frozen=True, slots=True)
class _Kept:
    version: str
    state: FactState


class CellShelf:
    """Cells by fact and session; what nobody has asked for the longest makes room."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()

    async def load_grid(self, connection: AsyncConnection, *ranges: Range) -> Grid:
        """Return how all cells stand in some ranges; what has been said no more of is the very same as before."""
        repository = CellRepository(connection)
        versions: dict[_Key, str] = {}
        for each in ranges:
            versions |= await repository.load_versions(each.first, each.last, each.facts)
        found = {key: kept.state for key in versions if (kept := self._find(key, versions[key])) is not None}
        new = [key for key in versions if key not in found]
        if new:
            said = await asyncio.to_thread(grid_of, await repository.load_parts_at(new))
            found |= {key: said.get(key, NOTHING_SAID) for key in new}
        self._keep(versions, found)
        return {key: found[key] for key in versions}

    def _find(self, key: _Key, version: str) -> _Kept | None:
        kept = self._kept.get(key)
        return kept if kept is not None and kept.version == version else None

    def _keep(self, versions: Mapping[_Key, str], found: Mapping[_Key, FactState]) -> None:
        for key, state in found.items():
            self._kept[key] = _Kept(versions[key], state)
            self._kept.move_to_end(key)
        cells = sum(len(kept.state.decides) for kept in self._kept.values())
        while cells > _MOST_CELLS:
            _, kept = self._kept.popitem(last=False)
            cells -= len(kept.state.decides)
