"""What market_data answers over HTTP."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from services.market_data.commands.rule_on_bar import Ruled, RulingRequest
from services.market_data.core.actions import ActionKind
from services.market_data.core.findings import Rule
from services.market_data.core.judging import Decision
from services.market_data.core.profile_merge import Origin
from services.market_data.storage.action_repository import ActionRow
from services.market_data.storage.fundamentals_repository import StatementRow
from services.market_data.storage.identifier_repository import IdentifierRow
from services.market_data.storage.interest_repository import InterestRow
from services.market_data.storage.judgement_repository import RulingRow
from services.market_data.storage.rate_repository import RateRow
from services.market_data.storage.repository import CoverageRow, FindingCount, FindingRow
from services.market_data.storage.universe_repository import ConstituentRow, UniverseRow
from shared.pages import Page
from shared.profile import ProfileFacts
from shared.unavailable import Reason, Unavailable


class BarView(BaseModel):
    """A bar: as-traded close, total-return adjusted close, and where they come from."""

    session: date
    close: float
    adjusted: float
    open: float | None
    high: float | None
    low: float | None
    volume: float | None
    split: float
    dividend: float
    source: str
    fetched_at: datetime


class PricesView(Page[BarView]):
    """A symbol's bars, oldest first."""

    symbol: str


class SourceView(BaseModel):
    """The first provider that has prices of a symbol, or why none has."""

    symbol: str
    source: str | None
    reason: Reason | None
    detail: str | None

    @classmethod
    def of(cls, symbol: str, found: str | Unavailable) -> "SourceView":
        """Return what was found of a symbol."""
        if isinstance(found, Unavailable):
            return cls(symbol=symbol, source=None, reason=found.reason, detail=found.detail)
        return cls(symbol=symbol, source=found, reason=None, detail=None)


class ProfileView(BaseModel):
    """What is known about a symbol, and from whom."""

    profile: ProfileFacts
    source: str
    fetched_at: datetime
    origins: dict[str, Origin] = Field(description="fact -> who gave it and when; else as the profile")


class RateView(BaseModel):
    """An interest rate: a fraction a year, as quoted, and who gave it."""

    day: date
    rate: float
    source: str
    fetched_at: datetime

    @classmethod
    def of(cls, row: RateRow) -> Self:
        """Return the view of a row."""
        return cls(**row._asdict())


class InterestView(BaseModel):
    """How many contracts of an option were open at the end of a session, and who said so."""

    session: date
    contracts: int
    source: str
    fetched_at: datetime

    @classmethod
    def of(cls, row: InterestRow) -> Self:
        """Return the view of a row."""
        return cls(**row._asdict())


class StatementView(BaseModel):
    """One reported period of a statement, as last revised."""

    period_end: date
    revision: int
    known_at: datetime
    published_on: date | None
    counts_from: date = Field(description="the first day that may use it")
    currency: str | None
    fiscal_year: int | None
    fiscal_quarter: int | None
    items: dict[str, float | None] = Field(description="null: not known")
    derived: list[str] = Field(description="the items that follow from others, the provider did not give them")
    source: str
    fetched_at: datetime
    digest: str

    @classmethod
    def of(cls, row: StatementRow) -> Self:
        """Return the view of a stored row."""
        return cls(**row._asdict() | {"digest": row.digest.hex()})


class FundamentalsView(Page[StatementView]):
    """The periods of one statement of a company, oldest first."""

    symbol: str
    statement: str
    frequency: str


class CoverageView(BaseModel):
    """How much of a symbol is stored, why it may be nothing, and when its company was last asked about."""

    symbol: str
    bars: int
    first_session: date | None
    last_session: date | None
    checked_first: date | None
    checked_through: date | None
    unavailable_reason: str | None
    unavailable_detail: str | None
    profile_fetched_at: datetime | None
    fundamentals_fetched_at: datetime | None

    @classmethod
    def of(cls, row: CoverageRow) -> Self:
        """Return the view of a row."""
        return cls(**row._asdict())


class FindingView(BaseModel):
    """A row, or a field of it, that was set aside: which, by which rule, and where it stands."""

    finding_id: int
    provider: str
    rule: Rule
    symbol: str | None
    day: date | None
    file: str | None
    line: int | None
    detail: str
    value: float | None = Field(description="the close or the split of a bar that was judged beside others")
    decision: Decision | None = Field(description="the newest one about it, where there is one")
    run_id: UUID
    found_at: datetime

    @classmethod
    def of(cls, row: FindingRow) -> Self:
        """Return the view of a row."""
        return cls(**row._asdict())


class BarChangeView(BaseModel):
    """A bar before and after a decision; a close is null where it doesn't count."""

    session: date
    close_before: float | None
    close_after: float | None
    split_before: float
    split_after: float


class RulingAnswer(BaseModel):
    """A decision, the close or split that it is about, and the bars that it changes; applied by the next run."""

    symbol: str
    session: date
    rule: Rule
    decision: Decision
    value: float
    stored: bool
    changes: list[BarChangeView]

    @classmethod
    def of(cls, request: RulingRequest, ruled: Ruled, *, stored: bool) -> Self:
        """Return the answer to a decision."""
        changes = [BarChangeView(**asdict(change)) for change in ruled.changes]
        return cls(
            **request.place._asdict(), decision=request.decision, value=ruled.value, stored=stored, changes=changes
        )


class RulingView(BaseModel):
    """A decision that was made; the newest about a symbol, session and rule counts."""

    ruling_id: int
    symbol: str
    session: date
    rule: Rule
    decision: Decision
    value: float
    decided_by: str
    why: str
    decided_at: datetime
    applied_by: UUID | None = Field(description="the run that judged the symbol with it; null: none has yet")

    @classmethod
    def of(cls, row: RulingRow) -> Self:
        """Return the view of a row."""
        return cls(**row._asdict())


class UniverseView(BaseModel):
    """A list of the constituents of an index, and how many symbols it has."""

    universe: str
    as_of: date
    symbols: int
    stored: bool = Field(default=True, description="false: it was only tried")

    @classmethod
    def of(cls, row: UniverseRow) -> Self:
        """Return the view of a row."""
        return cls(**row._asdict())


class ConstituentView(BaseModel):
    """A symbol of an index, its weight as a fraction, and the day of the list it is in."""

    as_of: date
    symbol: str
    weight: float

    @classmethod
    def of(cls, row: ConstituentRow) -> Self:
        """Return the view of a row."""
        return cls(**row._asdict())


class ActionView(BaseModel):
    """What a company did to its shares; `value` is the cash a share of a dividend, else the new shares for one."""

    symbol: str
    kind: ActionKind
    ex_day: date
    pay_day: date | None = Field(description="null: nobody says")
    value: float | None
    other: str | None = Field(description="whose shares there are beside it, or in its place")
    source: str
    why: str | None
    said_at: datetime

    @classmethod
    def of(cls, row: ActionRow) -> Self:
        """Return the view of a row."""
        return cls(**{name: value for name, value in row._asdict().items() if name != "place"})


class IdentifierView(BaseModel):
    """What the share that is `symbol` today is called by `vendor` (null: everybody) from `first_day` to `last_day`."""

    identifier_id: int
    symbol: str
    name: str
    vendor: str | None
    first_day: date | None
    last_day: date | None
    source: str = Field(description="the vendor that tells it, or `operator`")
    why: str
    said_by: str
    said_at: datetime
    withdrawn_by: str | None
    withdrawn_at: datetime | None = Field(description="null: it counts")

    @classmethod
    def of(cls, row: IdentifierRow) -> Self:
        """Return the view of a row."""
        first = None if row.first_day == date.min else row.first_day
        last = None if row.last_day == date.max else row.last_day
        return cls(**row._asdict() | {"vendor": row.vendor or None, "first_day": first, "last_day": last})


class NamedView(BaseModel):
    """What was said of a share, null where it was only tried, and the watched symbols that are asked for anew."""

    identifier: IdentifierView | None
    symbols: list[str]


class FindingCountView(BaseModel):
    """How many rows were set aside by a rule, and of how many symbols."""

    rule: Rule
    findings: int
    symbols: int


class FindingCountsView(BaseModel):
    """How many rows were set aside."""

    findings: int
    rules: list[FindingCountView]

    @classmethod
    def of(cls, counts: Sequence[FindingCount]) -> Self:
        """Return the view of counts."""
        return cls(
            findings=sum(each.findings for each in counts),
            rules=[FindingCountView.model_validate(each, from_attributes=True) for each in counts],
        )
