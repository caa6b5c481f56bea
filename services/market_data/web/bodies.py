"""What people ask for."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from fastapi import Query

from services.market_data.storage.fundamentals_repository import StatementSlice
from shared.selection import Day, Instant, check_order


@dataclass(frozen=True)
class FundamentalsSelection:
    """Which statement, quarterly or annual, which periods by their last day, and as it was known when."""

    statement: Literal["income", "balance", "cash_flow"]
    frequency: Literal["quarterly", "annual"] = "quarterly"
    first: Annotated[Day | None, Query(description="none: from the beginning")] = None
    last: Annotated[Day | None, Query(description="none: to the end")] = None
    known_at: Annotated[Instant | None, Query(description="what was known then; none: now")] = None

    def slice(self, symbol: str, *, since: date | None, limit: int) -> StatementSlice:
        """Return the selection of a company, from a day on where the page begins there, for a repository."""
        first, last = self.first or date.min, self.last or date.max
        check_order(first, last)
        return StatementSlice(
            symbol=symbol,
            statement=self.statement,
            frequency=self.frequency,
            first=since or first,
            last=last,
            known_at=self.known_at,
            limit=limit,
        )
