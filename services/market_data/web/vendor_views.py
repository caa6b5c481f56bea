"""What market_data answers about vendors over HTTP: who was asked, what they lack, what was asked of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from services.market_data.core.attempts import Lacking, Outcome
from services.market_data.core.breaking import Breaker, State
from services.market_data.core.plans import Plan, Window, hours_and_minutes, origin_of
from services.market_data.providers.provider import Kind
from services.market_data.storage.absence_repository import AbsenceCount, AbsenceRow
from services.market_data.storage.attempt_repository import AttemptRow
from services.market_data.storage.request_repository import RequestCount
from services.market_data.storage.vendor_repository import BreakerRow, WindowRow


class TriedView(BaseModel):
    """What a provider said of a symbol that it had no answer for, when it was asked for a kind up to a session."""

    kind: Kind
    session: date
    place: int = Field(description="as which one it was asked, from 0")
    provider: str
    outcome: Outcome
    detail: str
    run_id: UUID
    tried_at: datetime

    @classmethod
    def of(cls, row: AttemptRow) -> Self:
        """Return the view of a row."""
        return cls.model_validate(row._asdict())


class AbsenceView(BaseModel):
    """What a vendor has said of a symbol that it does not have, and when it is asked again."""

    symbol: str
    kind: Kind
    vendor: str
    lacking: Lacking
    times: int = Field(description="how often it has said so")
    since: datetime
    retry_at: datetime | None = Field(description="null: not before somebody wants it")
    detail: str

    @classmethod
    def of(cls, row: AbsenceRow) -> Self:
        """Return the view of a row."""
        return cls.model_validate(row._asdict())


class WindowView(BaseModel):
    """How many requests a plan allows within so many seconds, and how many were made since the window began."""

    seconds: int
    allowed: int
    requests: int
    ends_at: datetime | None = Field(description="None where it has not begun")


class BreakerView(BaseModel):
    """Whether a vendor is asked for a kind, and if not, until when and why."""

    kind: Kind
    state: State
    failures: int = Field(description="in a row")
    why: str | None
    open_until: datetime | None
    absent: int = Field(description="of how many symbols it is not asked, as it does not have them")


@dataclass(frozen=True, slots=True)
class VendorStand:
    """What is known of all vendors."""

    windows: Sequence[WindowRow]
    breakers: Sequence[BreakerRow]
    absences: Sequence[AbsenceCount]


class VendorView(BaseModel):
    """A vendor of the chain: what its plan allows, what was asked, and how it answers."""

    vendor: str
    windows: list[WindowView]
    kinds: list[BreakerView]
    complete_from: str | None = Field(
        description="hours:minutes of New York after the midnight before a session from which its bars are complete; "
        "null: once it has settled"
    )

    @classmethod
    def of(cls, vendor: str, plan: Plan, stand: VendorStand, now: datetime) -> Self:
        """Return the view of a vendor at a time; a window that has ended is one that has not begun."""
        begun = {row.seconds: row for row in stand.windows if row.vendor == origin_of(vendor) and row.ends_at > now}
        own = {row.kind: row.breaker for row in stand.breakers if row.vendor == vendor}
        absent = {row.kind: row.symbols for row in stand.absences if row.vendor == vendor}
        return cls(
            vendor=vendor,
            windows=[_window(window, begun.get(round(window.seconds))) for window in plan.windows],
            kinds=[_breaker(kind, own.get(kind, Breaker(0, "")), absent.get(kind, 0), now) for kind in Kind],
            complete_from=None if plan.complete_from is None else hours_and_minutes(plan.complete_from),
        )


def _window(window: Window, row: WindowRow | None) -> WindowView:
    return WindowView(
        seconds=round(window.seconds),
        allowed=window.requests,
        requests=row.requests if row else 0,
        ends_at=row.ends_at if row else None,
    )


def _breaker(kind: Kind, breaker: Breaker, absent: int, now: datetime) -> BreakerView:
    return BreakerView(
        kind=kind,
        state=breaker.state(now),
        failures=breaker.failures,
        why=breaker.why or None,
        open_until=breaker.open_until,
        absent=absent,
    )


class RequestsView(BaseModel):
    """How many requests of a run a vendor was to have, and has had."""

    vendor: str
    estimated: int | None = Field(description="before it asked, at most; null: it was not to be asked first")
    requests: int = Field(description="made so far, repetitions included")


class RunRequestsView(BaseModel):
    """The requests of a run."""

    vendors: list[RequestsView]

    @classmethod
    def of(cls, counts: Sequence[RequestCount]) -> Self:
        """Return the view of counts."""
        return cls(vendors=[RequestsView(**each._asdict()) for each in counts])
