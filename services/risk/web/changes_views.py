"""What people read of changes of numbers."""

from datetime import date, datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from services.risk.core.changes import Change, Number, Part
from services.risk.storage.rows import HeadRow
from services.risk.web.views import Figure


class ChangePart(BaseModel):
    """What one cause adds to a change, or why that cannot be told: then the next part has both."""

    part: Part
    change: Figure


class NumberChange(BaseModel):
    """A number before and after, and what changed it; the parts that have a number add up to the difference."""

    measure: str
    before: Figure
    after: Figure
    total: Figure
    parts: list[ChangePart]

    @classmethod
    def of(cls, measure: str, change: Change) -> Self:
        """Return the view of a change."""
        return cls(
            measure=measure,
            before=_figure(change.before),
            after=_figure(change.after),
            total=_figure(change.total),
            parts=[ChangePart(part=part, change=_figure(change.parts[part])) for part in Part if part in change.parts],
        )


class ComparedAssessment(BaseModel):
    """A revision of an assessment that is compared."""

    as_of: date
    revision: int
    known_at: datetime
    code_version: int

    @classmethod
    def of(cls, head: HeadRow) -> Self:
        """Return the view of a stored head."""
        return cls.model_validate(head, from_attributes=True)


class RiskChanges(BaseModel):
    """What changed market beta and value at risk between two assessments.

    The number is computed again with one more kind of input exchanged, in this order: `prices` (what was held at the
    prices of then), `positions`, `model` (betas, and the returns that are looked back on). `corrections` is what stored
    numbers differ by from those that their inputs make now, `code` the same where another version computed them.
    """

    portfolio_id: UUID
    before: ComparedAssessment
    after: ComparedAssessment
    changes: list[NumberChange]


def _figure(number: Number) -> Figure:
    if isinstance(number, float):
        return Figure(value=number)
    return Figure(reason=number.reason, detail=number.detail)
