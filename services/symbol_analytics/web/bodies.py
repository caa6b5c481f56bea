"""What people ask for."""

from pydantic import Field

from shared.clock import Clock
from shared.selection import SessionSelection, Slice


class Selection(SessionSelection):
    """Which results to list, and where the page begins."""

    symbol: list[str] | None = Field(default=None, description="repeat for several; none: all")
    after_symbol: str = ""
    limit: int = Field(default=500, ge=1, le=5_000, description="symbols a page")

    def slice(self, clock: Clock) -> Slice[str]:
        """Return the selection for a repository."""
        return self.slice_of(self.symbol, clock, after=self.after_symbol, limit=self.limit)
