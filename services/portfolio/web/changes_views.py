"""What people read of a change of value."""

from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, Self, get_args
from uuid import UUID

from pydantic import BaseModel

from services.portfolio.core.changes import ValueChange
from services.portfolio.storage.snapshot_repository import SnapshotRow
from services.portfolio.web.views import Amount

Part = Literal["flows", "positions", "dividends", "prices", "corrections", "code"]
_PARTS: Final[tuple[Part, ...]] = get_args(Part)


class ComparedSnapshot(BaseModel):
    """A revision of a snapshot that is compared."""

    as_of: date
    revision: int
    known_at: datetime
    code_version: int
    equity: Amount

    @classmethod
    def of(cls, row: SnapshotRow) -> Self:
        """Return the view of a stored snapshot."""
        return cls.model_validate(row, from_attributes=True)


class ValueChangePart(BaseModel):
    """What one cause adds to the change."""

    part: Part
    amount: Amount


class PositionChangeView(BaseModel):
    """What one position adds to the change: by being traded, by dividends, by its prices."""

    position_id: UUID
    symbol: str
    positions: Amount
    dividends: Amount
    prices: Amount
    total: Amount


class ValueChanges(BaseModel):
    """What changed equity from one close to another; `parts`, in the order in which they are taken out, add up to it.

    `flows`: paid in less taken out. `positions`: what exits fixed, and the P&L of what was entered. `prices`: the P&L
    of what was held. `corrections`: what was revised in sessions before. `code`: the rest where the two were computed
    by different versions of the code. `by_position` has the largest first.
    """

    portfolio_id: UUID
    before: ComparedSnapshot
    after: ComparedSnapshot
    total: Amount
    parts: list[ValueChangePart]
    by_position: list[PositionChangeView]

    @classmethod
    def of(cls, before: SnapshotRow, after: SnapshotRow, change: ValueChange) -> Self:
        """Return the view of a change."""
        return cls(
            portfolio_id=after.portfolio_id,
            before=ComparedSnapshot.of(before),
            after=ComparedSnapshot.of(after),
            total=change.total,
            parts=[ValueChangePart(part=part, amount=_plain(getattr(change, part))) for part in _PARTS],
            by_position=[
                PositionChangeView.model_validate(entry, from_attributes=True) for entry in change.by_position
            ],
        )


def _plain(amount: Decimal) -> Decimal:
    # A difference of nothing has the sign of its rounding.
    return amount if amount else Decimal(0)
