"""What people ask for."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, Field

from shared.selection import Instant


class FundamentalsSelection(BaseModel):
    """Which statement, quarterly or annual, which periods by their last day, and as it was known when."""

    statement: Literal["income", "balance", "cash_flow"]
    frequency: Literal["quarterly", "annual"] = "quarterly"
    first: date = date.min
    last: date = date.max
    known_at: Instant | None = None
    limit: int = Field(default=1000, ge=1, le=10_000)
