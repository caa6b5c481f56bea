"""What market_data publishes."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from shared.calendar import session_ordinals
from shared.contracts.event import Event
from shared.contracts.run import Contract, Symbol
from shared.profile import ProfileFacts

Column = tuple[float | None, ...]


def _check_sessions(days: Sequence[date]) -> None:
    unknown = np.flatnonzero(session_ordinals(list(days)) < 0)
    if unknown.size:
        raise ValueError(f"sessions must be those of the exchange, was {days[unknown[0]]}")


class MarketDataDue(Event):
    """A shard of symbols of this run is to be fetched, where something is missing, and announced."""

    topic: ClassVar[str] = "market_data.due"

    symbols: tuple[Symbol, ...]
    fetch_first: date | None = Field(default=None, description="None: everything is stored")
    fetch_last: date | None = None
    kept_since: date | None = Field(
        default=None,
        description="from when on the history is kept complete; None: as far as the run's own sessions need",
    )

    def days(self) -> Iterator[date]:
        """Yield the last day of the run and of what is to be fetched."""
        yield from super().days()
        if self.fetch_last is not None:
            yield self.fetch_last


class CorporateAction(Contract):
    """A split factor effective, or a cash dividend ex, at that session."""

    symbol: Symbol
    session: date
    value: float = Field(gt=0)
    inferred: bool = Field(default=False, description="a split that nobody gave, seen in the adjusted closes")


class Correction(Contract):
    """Bars that had been announced before are others now: the first and the last session so of the symbol."""

    # Over the wire the first one is `session`, as the readers of this version know it.
    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    symbol: Symbol
    first_session: date = Field(alias="session")
    last_session: date | None = Field(default=None, description="null: only that one")
    revision: int = Field(default=0, ge=0, description="of the sessions on which there is no bar any more")


class HeldClose(Contract):
    """A session whose close was delivered and is held back until it is confirmed, and by which rule."""

    symbol: Symbol
    session: date
    rule: str


class RiskFreeRate(Contract):
    """What three-month Treasuries yield on a day."""

    day: date
    rate: float = Field(ge=-1, le=1, description="a fraction a year, as quoted: simple interest over the quarter")


class PriceBlock(Contract):
    """Bars of some symbols on some sessions: columnar, one row a symbol, one entry a session."""

    sessions: tuple[date, ...]
    symbols: tuple[Symbol, ...]
    sources: tuple[str | None, ...] = Field(default=(), description="provider of each symbol's bars, where it has any")
    close: tuple[Column, ...] = Field(description="as traded; null: no bar")
    adjusted: tuple[Column, ...] = Field(description="total-return adjusted close")
    revisions: tuple[tuple[int, ...], ...] = Field(
        default=(), description="how new each bar is: a larger number with every change of it; none: unknown"
    )

    @model_validator(mode="after")
    def _columns_have_the_shape(self) -> Self:
        revisions = self.revisions or self.close
        for name, rows in (("close", self.close), ("adjusted", self.adjusted), ("revisions", revisions)):
            if len(rows) != len(self.symbols) or any(len(row) != len(self.sessions) for row in rows):
                raise ValueError(f"{name} must have {len(self.symbols)} rows of {len(self.sessions)} entries")
        return self

    @model_validator(mode="after")
    def _bars_are_of_the_exchange(self) -> Self:
        _check_sessions(self.sessions)
        for name, rows in (("close", self.close), ("adjusted", self.adjusted)):
            lowest = min((price for row in rows for price in row if price is not None), default=1.0)
            if lowest <= 0.0:
                raise ValueError(f"{name} must be above 0, was {lowest}")
        return self


class PricesUpdated(Event):
    """Bars are stored: those that are new or have changed, and those of the run's own sessions.

    A symbol whose adjustment history has changed comes with its whole window, in a block of its own.
    """

    topic: ClassVar[str] = "prices.updated"

    blocks: tuple[PriceBlock, ...] = ()
    splits: tuple[CorporateAction, ...] = ()
    dividends: tuple[CorporateAction, ...] = ()
    corrections: tuple[Correction, ...] = Field(
        default=(), description="where the history of a symbol is no longer what it was"
    )
    held: tuple[HeldClose, ...] | None = Field(
        default=None, description="every close of these symbols that is held back; null: not said"
    )
    risk_free_rates: tuple[RiskFreeRate, ...] = Field(default=(), description="those that were fetched with this part")

    @model_validator(mode="after")
    def _actions_are_of_sessions(self) -> Self:
        _check_sessions(list(self._days_of_actions()))
        return self

    def _days_of_actions(self) -> Iterator[date]:
        yield from (action.session for action in (*self.splits, *self.dividends))
        yield from (close.session for close in self.held or ())
        for correction in self.corrections:
            yield correction.first_session
            yield correction.last_session or correction.first_session

    def days(self) -> Iterator[date]:
        """Yield the last day of the run, those of bars, and those of what changes them."""
        yield from super().days()
        for block in self.blocks:
            yield from block.sessions
        yield from self._days_of_actions()
        yield from (rate.day for rate in self.risk_free_rates)

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The symbols that have bars here, and those that should have, sorted."""
        with_bars = {symbol for block in self.blocks for symbol in block.symbols}
        return tuple(sorted(with_bars | {failure.subject for failure in self.failures}))

    def subject_names(self) -> tuple[str, ...]:
        """Return the symbols."""
        return self.symbols


class Profile(ProfileFacts, Contract):
    """What is known about a symbol beside its prices."""

    source: str
    fetched_at: datetime
    counts_from: dict[str, date] = Field(
        default_factory=dict, description="figure -> the first day that may use it, where other numbers need it"
    )


class ConstituentList(Contract):
    """What an index is made of from a day on."""

    universe: str = Field(max_length=100)
    as_of: date
    loaded_at: datetime = Field(description="a later list of the same day takes its place")
    symbols: tuple[Symbol, ...]
    weights: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(description="one a symbol, fractions of the index")

    @model_validator(mode="after")
    def _symbols_have_a_weight_each(self) -> Self:
        if len(self.weights) != len(self.symbols):
            raise ValueError(f"weights must have {len(self.symbols)} entries, was {len(self.weights)}")
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("symbols must come once each")
        return self


class ProfilesUpdated(Event):
    """Profiles that are new or have changed; a part may be empty.

    The first runs after a list of constituents was loaded bring it along.
    """

    topic: ClassVar[str] = "profiles.updated"

    profiles: tuple[Profile, ...] = ()
    constituents: tuple[ConstituentList, ...] = ()


class Statement(Contract):
    """One reported period of one statement of a company; `items` are those of `shared.fundamentals` that are known."""

    symbol: Symbol
    statement: str = Field(pattern="^(income|balance|cash_flow)$")
    frequency: str = Field(pattern="^(quarterly|annual)$")
    period_end: date
    revision: int = Field(ge=1, description="1, then one more with every restatement")
    published_on: date | None = Field(default=None, description="where the provider says")
    counts_from: date = Field(description="the first day that may use it: nobody knew it before")
    currency: str | None = None
    fiscal_year: int | None = None
    fiscal_quarter: int | None = Field(default=None, ge=1, le=4)
    items: dict[str, float]
    source: str
    fetched_at: datetime


class FundamentalsUpdated(Event):
    """Statements that are new or have been restated; a part may be empty."""

    topic: ClassVar[str] = "fundamentals.updated"

    statements: tuple[Statement, ...] = ()
