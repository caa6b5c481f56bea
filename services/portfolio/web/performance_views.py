"""The performance of a portfolio over a window, and the table of a tear sheet, from its snapshots."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final, Self
from uuid import UUID

import numpy as np
from pydantic import BaseModel, Field

from services.portfolio.core.money_weighted import money_weighted_return
from services.portfolio.core.performance import CHAIN_BROKEN, Drawdown, Fall, annualised, chained_return, drawdown
from services.portfolio.core.portfolios import Portfolio
from services.portfolio.core.realised import Extreme, Realised, windows_of
from services.portfolio.core.risk_free import Quoted, risk_free_returns
from services.portfolio.storage.snapshot_repository import SnapshotRow
from services.portfolio.web.views import Amount
from shared.arrays import FloatArray
from shared.calendar import shift_session
from shared.contracts.event import Measure
from shared.conventions import SESSIONS_PER_YEAR
from shared.unavailable import Reason, Unavailable

_SUMS: Final = {"flows": "flow", "contributions": "contributions", "withdrawals": "withdrawals", "pnl": "pnl"}


class FallView(BaseModel):
    """A fall of the time-weighted index, from the last close at its highest value until that is reached again."""

    depth: float
    peak: date
    trough: date
    recovery: date | None

    @classmethod
    def of(cls, found: Fall, days: Sequence[date]) -> Self:
        """Return the view of a fall over these closes."""
        recovery = None if found.recovery is None else days[found.recovery]
        return cls(depth=found.depth, peak=days[found.peak], trough=days[found.trough], recovery=recovery)


class DrawdownView(BaseModel):
    """The deepest fall of the time-weighted index, and where the index stands now below its highest value.

    `peak`, `trough` and `recovery` are closes; `recovery` is null while the peak has not been reached again. `worst`
    are the deepest falls, deepest first, none overlapping another.
    """

    depth: Measure
    current: Measure
    peak: date | None = None
    trough: date | None = None
    recovery: date | None = None
    worst: list[FallView] = []

    @classmethod
    def of(cls, found: Drawdown | Unavailable, days: Sequence[date]) -> Self:
        """Return the view of a drawdown over these closes."""
        if isinstance(found, Unavailable):
            return cls(depth=Measure.of(found), current=Measure.of(found))
        deepest = FallView.of(found.deepest, days)
        return cls(
            depth=Measure.of(deepest.depth),
            current=Measure.of(found.current),
            peak=deepest.peak,
            trough=deepest.trough,
            recovery=deepest.recovery,
            worst=[FallView.of(fall, days) for fall in found.worst],
        )


class PerformancePoint(BaseModel):
    """A close: equity, and the time-weighted index with its fall below its highest value in the window."""

    as_of: date
    revision: int | None
    equity: Amount
    flow: Amount
    contributions: Amount
    withdrawals: Amount
    twr_index: float | None
    drawdown: float | None


class Performance(BaseModel):
    """How a portfolio did from the close before `first` to the close of `last`.

    `twr` is chain-linked, so that flows are no gains; `mwr` is the internal rate of return of what the investor put in
    and took out, over the time that money was there. A year's rates are of windows of a year or more.
    """

    portfolio_id: UUID
    first: date
    last: date
    sessions: int
    opening_equity: Amount
    closing_equity: Amount
    flows: Amount
    contributions: Amount
    withdrawals: Amount
    pnl: Amount
    twr: Measure
    twr_annual: Measure
    mwr: Measure
    mwr_annual: Measure
    drawdown: DrawdownView
    points: list[PerformancePoint]

    @classmethod
    def of(cls, portfolio: Portfolio, snapshots: Sequence[SnapshotRow], before: SnapshotRow | None) -> Self:
        """Return the performance over consecutive snapshots, at least one; `before` is the one before the first."""
        opening = portfolio.opening_equity if before is None else before.equity
        days = [shift_session(snapshots[0].as_of, -1), *(row.as_of for row in snapshots)]
        index = np.array([_opening_index(before), *(_number(row.twr_index) for row in snapshots)])
        fall = drawdown(index)
        whole = chained_return(float(index[0]), float(index[-1]))
        rates = money_weighted_return(days, _cash_flows(opening, snapshots))
        return cls(
            portfolio_id=portfolio.portfolio_id,
            first=snapshots[0].as_of,
            last=snapshots[-1].as_of,
            sessions=len(snapshots),
            opening_equity=opening,
            closing_equity=snapshots[-1].equity,
            **{name: sum((getattr(row, of) for row in snapshots), Decimal(0)) for name, of in _SUMS.items()},
            twr=Measure.of(whole),
            twr_annual=Measure.of(annualised(whole, (days[-1] - days[0]).days)),
            mwr=Measure.of(rates.period),
            mwr_annual=Measure.of(rates.annual),
            drawdown=DrawdownView.of(fall, days),
            points=_points(snapshots, fall),
        )


def _points(snapshots: Sequence[SnapshotRow], fall: Drawdown | Unavailable) -> list[PerformancePoint]:
    below = [None] * len(snapshots) if isinstance(fall, Unavailable) else fall.series[1:].tolist()
    return [
        PerformancePoint(
            as_of=row.as_of,
            revision=row.revision,
            equity=row.equity,
            flow=row.flow,
            contributions=row.contributions,
            withdrawals=row.withdrawals,
            twr_index=row.twr_index,
            drawdown=depth,
        )
        for row, depth in zip(snapshots, below, strict=True)
    ]


def _cash_flows(opening: Decimal, snapshots: Sequence[SnapshotRow]) -> FloatArray:
    """Return what the investor put in (negative) and got out, the closing equity included, one amount a close.

    Contributions are there from their session's open on, so that they are dated at the close before; withdrawals leave
    at their own.
    """
    amounts = np.zeros(len(snapshots) + 1)
    amounts[:-1] -= [float(row.contributions) for row in snapshots]
    amounts[1:] += [float(row.withdrawals) for row in snapshots]
    amounts[0] -= float(opening)
    amounts[-1] += float(snapshots[-1].equity)
    return amounts


def _opening_index(before: SnapshotRow | None) -> float:
    return 1.0 if before is None else _number(before.twr_index)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


class ExtremeView(Measure):
    """The best or the worst return, and the session that it ends on."""

    on: date | None = None

    @classmethod
    def of_extreme(cls, found: Extreme) -> Self:
        """Return the view of an extreme."""
        return cls(**Measure.of(found.value).model_dump(), on=found.on)


class RealisedWindow(BaseModel):
    """A window of daily returns: `returns` is their number, `total` what they add up to; ratios are a year's."""

    window: str
    returns: int
    total: Measure
    volatility: Measure
    downside_deviation: Measure
    sharpe: Measure
    sortino: Measure
    maximum_drawdown: Measure
    calmar: Measure
    best_day: ExtremeView
    worst_day: ExtremeView
    best_month: ExtremeView
    worst_month: ExtremeView
    hit_rate: Measure
    skew: Measure
    excess_kurtosis: Measure

    @classmethod
    def of(cls, name: str, found: Realised) -> Self:
        """Return the view of a window."""
        return cls(
            window=name,
            returns=found.returns,
            total=Measure.of(found.whole),
            volatility=Measure.of(found.volatility),
            downside_deviation=Measure.of(found.downside_deviation),
            sharpe=Measure.of(found.sharpe),
            sortino=Measure.of(found.sortino),
            maximum_drawdown=Measure.of(found.maximum_drawdown),
            calmar=Measure.of(found.calmar),
            best_day=ExtremeView.of_extreme(found.best_day),
            worst_day=ExtremeView.of_extreme(found.worst_day),
            best_month=ExtremeView.of_extreme(found.best_month),
            worst_month=ExtremeView.of_extreme(found.worst_month),
            hit_rate=Measure.of(found.hit_rate),
            skew=Measure.of(found.skew),
            excess_kurtosis=Measure.of(found.excess_kurtosis),
        )


class RealisedPerformance(BaseModel):
    """What a portfolio's own daily returns say, over windows that end with its last session until `as_of`."""

    portfolio_id: UUID
    first: date
    last: date
    risk_free_rate: Measure = Field(
        description="a year, continuously compounded: what the ratios are over, on average since inception"
    )
    risk_free_source: str = Field(description="`DGS3MO`, the yield of three-month Treasuries, or `constant`")
    windows: list[RealisedWindow]

    @classmethod
    def of(cls, portfolio: Portfolio, snapshots: Sequence[SnapshotRow], quoted: Quoted | None) -> Self:
        """Return the realised performance over all snapshots of a portfolio, at least one, and the rates quoted."""
        days = np.array([row.as_of for row in snapshots], dtype="datetime64[D]")
        returns = np.array([np.nan if row.daily_return is None else row.daily_return for row in snapshots])
        broken = CHAIN_BROKEN if snapshots[-1].twr_index is None else None
        risk_free = risk_free_returns(days, quoted)
        found = windows_of(days, returns, risk_free, opened_on=portfolio.opened_on, broken=broken)
        return cls(
            portfolio_id=portfolio.portfolio_id,
            first=snapshots[0].as_of,
            last=snapshots[-1].as_of,
            risk_free_rate=Measure.of(_yearly_rate(risk_free)),
            risk_free_source="constant" if quoted is None else "DGS3MO",
            windows=[RealisedWindow.of(name, window) for name, window in found.items()],
        )


def _yearly_rate(risk_free: FloatArray) -> float | Unavailable:
    rates = np.log1p(risk_free[np.isfinite(risk_free)]) * SESSIONS_PER_YEAR
    none = Unavailable(Reason.MISSING_DATA, "no risk-free rate before any of the sessions")
    return float(rates.mean()) if rates.size else none
