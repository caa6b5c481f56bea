"""What people ask for."""

import math
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.market_data.commands.name_share import Naming
from services.market_data.commands.rule_on_bar import RulingRequest
from services.market_data.core.actions import ActionKind, CorporateAction
from services.market_data.core.findings import Rule
from services.market_data.core.judging import Decision, Place
from services.market_data.core.names import EVERYBODY, NOBODY, Identifier
from services.market_data.core.plans import PLANS
from services.market_data.storage.absence_repository import AbsenceFilter
from services.market_data.storage.fundamentals_repository import StatementSlice
from services.market_data.storage.repository import FindingFilter
from shared.providers import ProviderName
from shared.selection import Day, Instant, check_order
from shared.symbols import SymbolText

# Published weights are rounded, and there are thousands of them.
_SUM_TOLERANCE: Final = 5e-3


class RulingBody(BaseModel):
    """What is decided about a bar, by whom and why."""

    model_config = ConfigDict(extra="forbid")

    symbol: SymbolText
    session: Day
    rule: Literal[Rule.UNEXPLAINED_JUMP, Rule.INFERRED_SPLIT, Rule.SPLIT_WITHOUT_MOVE, Rule.DELISTED]
    decision: Decision = Field(
        description="of a held close, whether it counts; of a split that was inferred or not used, whether that stands"
    )
    why: str = Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")
    requested_by: str = Field(default="api", min_length=1, max_length=180, pattern=r"^[^\x00]*$")
    dry_run: bool = Field(default=False, description="only say what it would change")

    def request(self) -> RulingRequest:
        """Return the request."""
        place = Place(self.symbol, self.session, self.rule)
        return RulingRequest(place, self.decision, decided_by=self.requested_by, why=self.why)


class IdentifierBody(BaseModel):
    """What a share is called, by whom and when; who says so and why."""

    model_config = ConfigDict(extra="forbid")

    symbol: SymbolText = Field(description="what everybody calls the share today")
    name: str = Field(
        pattern=r"^[A-Za-z0-9^][A-Za-z0-9._^=/-]{0,19}$", description="another name of it, as it is asked for"
    )
    vendor: ProviderName | Literal["nobody"] | None = Field(
        default=None, description="who calls it so; null: everybody did; `nobody`: it is private, no vendor is asked"
    )
    first_day: Day | None = Field(default=None, description="null: as long as one can remember")
    last_day: Day | None = Field(default=None, description="null: still; of a name that everybody used it is given")
    why: str = Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")
    requested_by: str = Field(default="api", min_length=1, max_length=180, pattern=r"^[^\x00]*$")
    dry_run: bool = Field(default=False, description="only say which symbols it concerns")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.vendor is None and (self.last_day is None or self.symbol == self.name):
            raise ValueError(
                f"a former name must differ from the symbol and have a last_day, was {self.name} until {self.last_day}"
            )
        if self.vendor == NOBODY and self.name != self.symbol:
            raise ValueError(f"the name of what nobody is asked for must be its symbol, was {self.name}")
        if self.vendor is not None and self.vendor not in {*PLANS, NOBODY}:
            raise ValueError(f"vendor must be one that is asked over the network, was {self.vendor}")
        if self.first_day is not None and self.last_day is not None:
            check_order(self.first_day, self.last_day)
        return self

    def naming(self) -> Naming:
        """Return what is said."""
        first, last = self.first_day or date.min, self.last_day or date.max
        identifier = Identifier(self.symbol, self.name, self.vendor or EVERYBODY, first, last)
        return Naming(identifier, said_by=self.requested_by, why=self.why)


class Constituent(BaseModel):
    """A symbol of an index, and its weight as a fraction of it."""

    model_config = ConfigDict(extra="forbid")

    symbol: SymbolText
    weight: float = Field(ge=0, le=1, allow_inf_nan=False)


class UniverseBody(BaseModel):
    """All that an index is made of from a day on; the weights add up to one."""

    model_config = ConfigDict(extra="forbid")

    as_of: Day
    constituents: list[Constituent] = Field(min_length=1, max_length=10_000)
    dry_run: bool = Field(default=False, description="only say whether it can be stored")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        times = Counter(each.symbol for each in self.constituents)
        twice = sorted(symbol for symbol, number in times.items() if number > 1)
        if twice:
            raise ValueError(f"constituents must come once, came again: {', '.join(twice[:20])}")
        total = math.fsum(each.weight for each in self.constituents)
        if abs(total - 1.0) > _SUM_TOLERANCE:
            raise ValueError(f"weights must add up to 1, was {total:.6f}")
        return self

    @property
    def weights(self) -> dict[str, float]:
        """The weights by symbol."""
        return {each.symbol: each.weight for each in self.constituents}


class ActionBody(BaseModel):
    """A spin-off or a merger; who says so is `operator`, and why."""

    model_config = ConfigDict(extra="forbid")

    symbol: SymbolText
    kind: Literal[ActionKind.SPIN_OFF, ActionKind.MERGER]
    ex_day: Day = Field(description="the first day on which the share is without it")
    other: SymbolText | None = Field(default=None, description="whose shares there are beside it, or in its place")
    value: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="so many of them for one share")
    why: str = Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")

    def action(self) -> CorporateAction:
        """Return the action."""
        return CorporateAction(self.symbol, self.kind, self.ex_day, self.value, other=self.other)


class WithdrawalBody(BaseModel):
    """Who takes back what a share is called."""

    model_config = ConfigDict(extra="forbid")

    requested_by: str = Field(default="api", min_length=1, max_length=180, pattern=r"^[^\x00]*$")


@dataclass(frozen=True)
class FindingSelection:
    """Which findings; without a word about something, whatever it is."""

    symbol: SymbolText | None = None
    rule: Rule | None = None
    run_id: UUID | None = None
    undecided: Annotated[bool, Query(description="only what an operator may decide about and has not")] = False

    def filter(self) -> FindingFilter:
        """Return the filter for a repository."""
        return FindingFilter(self.symbol, self.rule, self.run_id, undecided=self.undecided)


@dataclass(frozen=True)
class AbsenceSelection:
    """Which absences; without a word about something, whatever it is."""

    symbol: SymbolText | None = None
    vendor: Annotated[ProviderName | None, Query(description="only what this one does not have")] = None

    def filter(self) -> AbsenceFilter:
        """Return the filter for a repository."""
        return AbsenceFilter(self.symbol, self.vendor)


class AskAgainBody(BaseModel):
    """Of which symbol, or which vendor, the absences are forgotten."""

    model_config = ConfigDict(extra="forbid")

    symbol: SymbolText | None = None
    vendor: ProviderName | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.symbol is None and self.vendor is None:
            raise ValueError("symbol or vendor must be given, neither was")
        return self

    def filter(self) -> AbsenceFilter:
        """Return the filter for a repository."""
        return AbsenceFilter(self.symbol, self.vendor)


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
