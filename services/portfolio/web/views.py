"""What people read: portfolios, positions, snapshots and position values, each number a value or a reason."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, WithJsonSchema

from services.portfolio.commands.enter import NewPortfolio
from services.portfolio.commands.request_calculation import Requested
from services.portfolio.core.csv_import import CsvImport
from services.portfolio.core.portfolios import Portfolio
from services.portfolio.core.positions import Basis, Position, PositionTerms, PositionType, priced_symbols
from services.portfolio.core.understanding import understand
from services.portfolio.storage.edit_repository import EditRow, StoredFlow
from services.portfolio.storage.snapshot_repository import PositionValueRow, SnapshotRow
from shared.calendar import session_on_or_after
from shared.contracts.event import Measure
from shared.unavailable import Reason, Unavailable

# Written out in full; a number of JSON would lose cents.
Amount = Annotated[
    Decimal,
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?(E[+-]?[0-9]+)?$"}, mode="serialization"),
]


class Accepted(BaseModel):
    """What was stored, and the run that computes it."""

    portfolio_id: UUID
    run_id: UUID
    positions: int = Field(description="how many were stored; of a calculation, how many it is about")
    is_new: bool = Field(description="false: it had been stored before, without a key")

    @classmethod
    def of(cls, requested: Requested) -> Self:
        """Return the answer to a use case."""
        return cls.model_validate(requested, from_attributes=True)


class UnderstoodView(BaseModel):
    """What a new portfolio is understood to be, at the prices of its own trades."""

    opened_on: date
    positions: int
    symbols: list[str] = Field(description="that need prices")
    separator: str | None = Field(description="of the positions file, if there is one")
    decimal_sign: str | None = Field(description="of the positions file, if there is one")
    gross: Amount = Field(description="what is held after the last trade, both sides added up")
    gross_over_equity: Measure
    cash_left: Amount = Field(description="of the opening equity, after the last trade")
    before_opening: int = Field(description="positions entered before the first session")
    first_entry: date | None
    oversold: list[str] = Field(description="exits of more than was held, unless it was split before")

    @classmethod
    def of(cls, new: NewPortfolio, terms: Sequence[PositionTerms], file: CsvImport | None) -> Self:
        """Return the view of a portfolio as it was entered."""
        found = understand(terms, opening_equity=new.opening_equity, opened_on=new.opened_on)
        return cls(
            **asdict(found) | {"gross_over_equity": Measure.of(found.gross_over_equity)},
            opened_on=session_on_or_after(new.opened_on),
            symbols=priced_symbols(terms),
            separator=file and file.separator,
            decimal_sign=file and file.decimal_sign,
        )


class PortfolioAccepted(Accepted):
    """What was stored, the run that computes it, and what it is understood to be."""

    understood: UnderstoodView


class CalculationAccepted(Accepted):
    """A calculation that was asked for, or joined; `batch_run_id` is the run."""

    batch_run_id: UUID
    status: Literal["started"] = "started"
    message: str

    @classmethod
    def begun(cls, requested: Requested) -> Self:
        """Return the answer to a request for a calculation."""
        return cls(
            **Accepted.of(requested).model_dump(),
            batch_run_id=requested.run_id,
            message="the calculation is under way",
        )


class PortfolioView(BaseModel):
    """A portfolio: its first session and its equity at the close before; its last session, null if it goes on."""

    portfolio_id: UUID
    name: str
    opened_on: date
    opening_equity: Amount
    currency: str
    closed_on: date | None
    owner: str | None

    @classmethod
    def of(cls, portfolio: Portfolio) -> Self:
        """Return the view of a stored portfolio."""
        return cls(
            portfolio_id=portfolio.portfolio_id,
            name=portfolio.name,
            opened_on=portfolio.opened_on,
            opening_equity=portfolio.opening_equity,
            closed_on=portfolio.closed_on,
            currency=portfolio.currency,
            owner=portfolio.owner,
        )


class ExitView(BaseModel):
    """Part or all of a position closed at a price; without a quantity, what was left."""

    on: date
    price: Amount
    quantity: Amount | None


class OptionView(BaseModel):
    """The contract behind an option position."""

    underlying: str
    strike: Amount
    expiration: date


class PositionView(BaseModel):
    """A position as it was entered."""

    position_id: UUID
    symbol: str
    kind: PositionType
    quantity: Amount
    entry_date: date
    entry_price: Amount
    exits: list[ExitView]
    option: OptionView | None
    basis: Basis

    @classmethod
    def of(cls, position: Position) -> Self:
        """Return the view of a stored position."""
        terms = position.terms
        return cls(
            position_id=position.position_id,
            symbol=terms.symbol,
            kind=terms.kind,
            quantity=terms.quantity,
            entry_date=terms.entry_date,
            entry_price=terms.entry_price,
            exits=[ExitView(on=entry.on, price=entry.price, quantity=entry.quantity) for entry in terms.exits],
            option=terms.option and OptionView(**asdict(terms.option)),
            basis=terms.basis,
        )


class SnapshotView(BaseModel):
    """A portfolio at the end of a session; `equity = previous equity + pnl + flow`, `cash = equity - net`.

    `flow` is `contributions`, capital from the open on, less `withdrawals`, which leave at the close. `stale_gross` is
    what of `gross` is at marks of earlier sessions, the oldest of them `oldest_mark` sessions old. A `gain_reason`
    stands in the place of `realised_pnl` where something was sold of which not all splits since its entry are known.
    """

    portfolio_id: UUID
    as_of: date
    revision: int
    known_at: datetime
    digest: str
    code_version: int
    equity: Amount
    pnl: Amount
    flow: Amount
    contributions: Amount
    withdrawals: Amount
    cash: Amount
    long_value: Amount
    short_value: Amount
    gross: Amount
    net: Amount
    exit_pnl: Amount
    realised_pnl: Amount | None
    gain_reason: Reason | None
    gain_detail: str | None
    dividends: Amount
    positions: int
    long_positions: int
    short_positions: int
    stale_positions: int
    at_cost_positions: int
    unvalued_positions: int
    stale_gross: Amount
    oldest_mark: int
    daily_return: Measure
    twr_index: Measure

    @classmethod
    def of(cls, row: SnapshotRow) -> Self:
        """Return the view of a stored snapshot."""
        daily = Measure(value=row.daily_return, reason=row.daily_return_reason, detail=row.daily_return_detail)
        index = Measure(value=row.twr_index, reason=row.twr_index_reason, detail=row.twr_index_detail)
        gain = realised_of(row.realised_pnl, unknown=row.unknown_gains)
        return cls.model_validate(
            {
                **row._asdict(),
                "realised_pnl": row.realised_pnl if gain.reason is None else None,
                "gain_reason": gain.reason,
                "gain_detail": gain.detail,
                "daily_return": daily,
                "twr_index": index,
            }
        )


def realised_of(amount: Decimal, *, unknown: int) -> Measure:
    """Return what exits of a session gained over cost, or why that is not known of so many positions."""
    if unknown:
        exits = "1 position" if unknown == 1 else f"{unknown} positions"
        return Measure(reason=SPLITS_UNKNOWN.reason, detail=f"of {exits} with exits {SPLITS_UNKNOWN.detail}")
    return Measure(value=float(amount))


SPLITS_UNKNOWN: Final = Unavailable(
    Reason.MISSING_DATA, "prices do not reach back to the entry: splits since then are not known"
)
_AMOUNTS: Final = ("market_value", "cost", "unrealised_pnl", "pnl", "exit_pnl", "realised_pnl", "dividends", "exposure")


class PositionValueView(BaseModel):
    """What a position was worth and earned on a session, and where its mark comes from.

    `mark_source`: CLOSE, CARRIED (an earlier close, `mark_age` sessions old), DELISTED (none for 20 sessions: it is
    worth the last one, and not part of what risk is computed from), COST (never priced) or EXIT. `exposure`
    is the market value, of an option delta x quantity x 100 x the close of its `underlying`. `implied_volatility` is
    that of the contract's own close; without one, `assumed_volatility` is the realised one that stands in for it. By
    that the value of an option, a share of its 100, changes by `delta` a unit of the underlying, `vega` a point (0.01)
    of volatility, `theta` a calendar day, `rho` a point (0.01) of the rate, and delta by `gamma` a unit. Without a
    delta there are none of them, and an option's exposure is its market value.
    Where prices don't reach back to the entry of a position as traded, splits may be missing from its quantity, and
    there is a `gain_reason` in the place of what it gained over cost. What is quoted in another currency than its book
    is held and not valued: its mark is in that currency, a `value_reason` stands in the place of its amounts, and
    nothing of it is in the sums of the book. `inferred_splits` are the sessions of splits since the entry that nobody
    gave and that the quantity has; an operator may refuse them.
    """

    portfolio_id: UUID
    as_of: date
    revision: int
    position_id: UUID
    symbol: str
    sector: str
    quantity: float
    mark: float
    mark_source: str
    mark_age: int
    value_reason: str | None
    value_detail: str | None
    market_value: Amount | None
    cost: Amount | None
    unrealised_pnl: Amount | None
    pnl: Amount | None
    exit_pnl: Amount | None
    realised_pnl: Amount | None
    gain_reason: str | None
    gain_detail: str | None
    dividends: Amount | None
    oversold: bool
    exposure: Amount | None
    underlying: str | None
    delta: Measure | None
    gamma: float | None
    vega: float | None
    theta: float | None
    rho: float | None
    implied_volatility: Measure | None
    assumed_volatility: float | None
    inferred_splits: list[date]

    @classmethod
    def of(cls, row: PositionValueRow) -> Self:
        """Return the view of a stored value."""
        delta = Measure(value=row.delta, reason=row.delta_reason, detail=row.delta_detail)
        implied = Measure(
            value=row.implied_volatility, reason=row.implied_volatility_reason, detail=row.implied_volatility_detail
        )
        # Revisions from before any was implied have nothing to say of it.
        asked = implied.value is not None or implied.reason is not None
        return cls.model_validate(
            {
                **row._asdict(),
                "unrealised_pnl": row.market_value - row.cost if row.splits_known else None,
                "realised_pnl": row.realised_pnl if row.splits_known else None,
                "gain_reason": None if row.splits_known else SPLITS_UNKNOWN.reason.value,
                "gain_detail": None if row.splits_known else SPLITS_UNKNOWN.detail,
                "delta": None if row.underlying is None else delta,
                "implied_volatility": implied if asked else None,
                "assumed_volatility": row.volatility if implied.value is None else None,
                **(dict.fromkeys(_AMOUNTS) if row.value_reason else {}),
            }
        )


class FlowView(BaseModel):
    """Money paid in (positive) or taken out (negative), and what it is known by to whoever entered it."""

    flow_id: UUID
    on: date
    amount: Amount
    reference: str | None

    @classmethod
    def of(cls, stored: StoredFlow) -> Self:
        """Return the view of a stored flow."""
        flow = stored.flow
        return cls(flow_id=stored.flow_id, on=flow.on, amount=flow.amount, reference=flow.reference)


class EditView(BaseModel):
    """A correction of what was entered, before and after: null for what was taken away."""

    kind: str
    subject_id: UUID
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    edited_at: datetime
    edited_by: str | None = Field(description="null: the platform itself, or nobody knows any more")

    @classmethod
    def of(cls, row: EditRow) -> Self:
        """Return the view of a row."""
        return cls.model_validate(row, from_attributes=True)
