"""A portfolio, and the state of a close that a valuation goes on from."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from services.portfolio.core.inheritance import PositionState


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A portfolio: its first session and its equity at the close before, and its last session, None if it goes on.

    `owner` is whose it is, a name or `group:NAME`; None: nobody's but those who read everything.
    """

    portfolio_id: UUID
    name: str
    opened_on: date
    opening_equity: Decimal
    currency: str = "USD"
    closed_on: date | None = None
    owner: str | None = None

    def valued_until(self, as_of: date) -> date:
        """Return the last of the sessions up to one that is the portfolio's."""
        return as_of if self.closed_on is None else min(as_of, self.closed_on)


@dataclass(frozen=True, slots=True)
class OpeningState:
    """Portfolios at a close: equity in cents and index per portfolio, states per position.

    `unvalued` are the states of positions that were held and not valued.
    """

    equity: dict[UUID, int] = field(default_factory=dict)
    twr_index: dict[UUID, float] = field(default_factory=dict)
    positions: dict[UUID, PositionState] = field(default_factory=dict)
    unvalued: dict[UUID, PositionState] = field(default_factory=dict)
