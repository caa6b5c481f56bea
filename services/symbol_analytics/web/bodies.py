"""What people ask for."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import Query

from shared.clock import Clock
from shared.selection import SessionSelection, Slice
from shared.symbols import SymbolText


@dataclass(frozen=True)
class Selection(SessionSelection):
    """Which results to list."""

    symbol: Annotated[list[SymbolText] | None, Query(description="repeat for several; none: all")] = None

    def slice(self, clock: Clock, after: tuple[date, str] | None, limit: int) -> Slice[str]:
        """Return the selection behind a session and symbol for a repository."""
        return self.slice_of(self.symbol, clock, after, limit)
