"""Roll portfolios forward over sessions: positions marked to the cent, equity, cash and returns.

Amounts are int64 cents. The P&L of a position is the change of its rounded value plus what its exits brought in minus
what its entry cost, plus dividends, so P&L adds up to the cent over any stretch of sessions, and cash, the difference
of equity and net market value, moves by trades, dividends and flows only.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from services.portfolio.core.marking import Holdings, MarkSource, PositionDay, advance
from services.portfolio.core.marks import Marks
from services.portfolio.core.performance import daily_returns, twr_index
from services.portfolio.core.segments import Segments
from services.portfolio.core.trades import CashFlows, Exits, Market, PositionArrays
from shared.arrays import BoolArray, FloatArray, IntArray
from shared.unavailable import Quantities


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a roll starts from: all that is known at the close before its first session.

    `equity` in cents and `twr_index` (1.0 at inception, NaN where the chain is broken) per portfolio, `holdings` per
    position.
    """

    equity: IntArray
    twr_index: FloatArray
    holdings: Holdings


@dataclass(frozen=True, slots=True)
class PositionValues:
    """What each position was worth and earned, arrays of shape (n_sessions, n_positions); amounts in cents.

    `active` marks the rows that say something: held at the previous close, or entered on the session. `mark` is a price
    a unit, `mark_source` a `MarkSource`, `mark_age` the sessions since that price was seen. `realised_pnl` is what
    exits of the session gained over cost, `exit_pnl` the part of `pnl` they fixed, `exited` where there was any.
    `oversold`: an exit asked for more than was held and closed what there was. Without `splits_known` the quantity may
    lack splits, and what was gained over cost is not known.
    """

    active: BoolArray
    quantity: FloatArray
    mark: FloatArray
    mark_source: IntArray
    mark_age: IntArray
    market_value: IntArray
    cost: IntArray
    splits_known: BoolArray
    pnl: IntArray
    exit_pnl: IntArray
    realised_pnl: IntArray
    dividends: IntArray
    exited: BoolArray
    oversold: BoolArray

    @property
    def unrealised_pnl(self) -> IntArray:
        """Return market value less the cost of what is still held."""
        return self.market_value - self.cost

    @property
    def stale(self) -> BoolArray:
        """Return which marks are carried from an earlier close."""
        return np.isin(self.mark_source, (MarkSource.CARRIED, MarkSource.DELISTED))

    @property
    def delisted(self) -> BoolArray:
        """Return which positions are held in what is no longer traded."""
        return np.asarray(np.equal(self.mark_source, MarkSource.DELISTED) & (self.quantity != 0))

    @property
    def at_cost(self) -> BoolArray:
        """Return which marks are the position's own cost."""
        return np.equal(self.mark_source, MarkSource.COST)

    @classmethod
    def of(cls, days: list[PositionDay]) -> Self:
        """Stack the sessions of a roll."""
        held_at_close = {field.name for field in fields(Holdings)}
        columns = {
            field.name: np.stack(
                [getattr(day.closing if field.name in held_at_close else day, field.name) for day in days]
            )
            for field in fields(cls)
        }
        return cls(**columns)


@dataclass(frozen=True, slots=True)
class PortfolioValues:
    """The sessions of each portfolio, arrays of shape (n_sessions, n_portfolios); amounts in cents.

    ``equity(t) = equity(t-1) + pnl(t) + flow(t)`` and ``cash = equity - net``, exactly; `flow` is `contributions` less
    `withdrawals`. `short_value` is negative or zero. `stale_positions` counts those carried at an old close,
    `at_cost_positions` those never priced, marked at what they cost. `stale_gross` is what of `gross` is at carried
    marks, the oldest of which is `oldest_mark` sessions old. `unknown_gains` counts the positions with exits on the
    session of which not all splits are known: then `realised_pnl`, the sum of what is stored, says nothing.
    """

    equity: IntArray
    pnl: IntArray
    flow: IntArray
    contributions: IntArray
    withdrawals: IntArray
    cash: IntArray
    long_value: IntArray
    short_value: IntArray
    gross: IntArray
    net: IntArray
    exit_pnl: IntArray
    realised_pnl: IntArray
    dividends: IntArray
    positions: IntArray
    long_positions: IntArray
    short_positions: IntArray
    stale_positions: IntArray
    at_cost_positions: IntArray
    unvalued_positions: IntArray
    stale_gross: IntArray
    oldest_mark: IntArray
    unknown_gains: IntArray
    daily_return: Quantities
    twr_index: Quantities


@dataclass(frozen=True, slots=True)
class Valuation:
    """A roll: per portfolio, per position, and where the next one starts."""

    portfolios: PortfolioValues
    positions: PositionValues
    closing: Opening


def roll_forward(
    positions: PositionArrays, market: Market, *, exits: Exits, flows: CashFlows, opening: Opening
) -> Valuation:
    """Value all portfolios of a shard over consecutive sessions, oldest first.

    A position is marked from its value at the previous close, or from its entry price when entered on the session, to
    the exit price for what is exited and to the close for the rest; dividends are paid on the quantity held at the
    previous close, by shorts too. Splits change quantity and old mark from their session on. Without a close the last
    one is carried: P&L 0, and the age says so. One that was never priced is marked at its cost.

    Parameters
    ----------
    positions : PositionArrays
        Those of all portfolios, in any order.
    market : Market
        Closes, splits and dividends of the sessions per symbol.
    exits : Exits
        Partial and full exits of the positions within the sessions.
    flows : CashFlows
        Contributions count as capital from their session's open, withdrawals until its close.
    opening : Opening
        The state at the close before the first session; `Valuation.closing` of the roll before continues it with the
        same numbers as one long roll.

    Returns
    -------
    Valuation

    Raises
    ------
    ValueError
        If shapes disagree.
    AmountOutOfRange
        If an amount cannot be counted in cents.

    Notes
    -----
    NaN policy: a close that is NaN or not positive is no close; a missing split is 1, a missing dividend 0.
    O(n_sessions x n_positions).
    """
    _check_shapes(positions, market, flows=flows, opening=opening)
    quotes = market.quotes_of(positions)
    days = []
    holdings = opening.holdings
    for session in range(market.n_sessions):
        days.append(advance(holdings, positions, quotes=quotes[session], exits=exits.rounds(session), session=session))
        holdings = days[-1].closing
    values = PositionValues.of(days)
    segments, valued = Segments.of(positions.portfolio, opening.equity.size), positions.multiplier != 0
    portfolios = _aggregate(values, segments, valued=valued, flows=flows, opening=opening)
    closing = Opening(portfolios.equity[-1], portfolios.twr_index.values[-1], holdings)
    return Valuation(portfolios, values, closing)


def _aggregate(
    positions: PositionValues, segments: Segments, *, valued: BoolArray, flows: CashFlows, opening: Opening
) -> PortfolioValues:
    """Return the sums per portfolio and what follows from them."""
    value = positions.market_value
    held = positions.quantity != 0
    marked = held & valued
    stale = marked & positions.stale
    pnl = segments.sums(positions.pnl)
    equity = opening.equity + np.cumsum(pnl + flows.net, axis=0)
    base = equity - pnl + flows.withdrawals
    marks = Marks(
        held=segments.sums(marked),
        carried=segments.sums(stale),
        fresh=segments.sums(marked & np.equal(positions.mark_source, MarkSource.CLOSE)),
        oldest=segments.largest(np.where(stale, positions.mark_age, 0)),
    )
    long_value = segments.sums(np.maximum(value, 0))
    short_value = segments.sums(np.minimum(value, 0))
    return PortfolioValues(
        equity=equity,
        pnl=pnl,
        flow=flows.net,
        contributions=flows.contributions,
        withdrawals=flows.withdrawals,
        cash=equity - (long_value + short_value),
        long_value=long_value,
        short_value=short_value,
        gross=long_value - short_value,
        net=long_value + short_value,
        exit_pnl=segments.sums(positions.exit_pnl),
        realised_pnl=segments.sums(positions.realised_pnl),
        dividends=segments.sums(positions.dividends),
        positions=segments.sums(held),
        long_positions=segments.sums(positions.quantity > 0),
        short_positions=segments.sums(positions.quantity < 0),
        stale_positions=marks.carried,
        at_cost_positions=segments.sums(held & valued & positions.at_cost),
        unvalued_positions=segments.sums(held & ~valued),
        stale_gross=segments.sums(np.where(stale, np.abs(value), 0)),
        oldest_mark=marks.oldest,
        unknown_gains=segments.sums(positions.exited & ~positions.splits_known & valued),
        daily_return=daily_returns(pnl, base).withheld(marks.reasons()),
        twr_index=twr_index(opening.twr_index, pnl=pnl, base=base),
    )


def _check_shapes(positions: PositionArrays, market: Market, *, flows: CashFlows, opening: Opening) -> None:
    n_positions, n_portfolios = positions.portfolio.size, opening.equity.size
    if opening.holdings.quantity.shape != (n_positions,):
        raise ValueError(f"opening must have {n_positions} positions, was {opening.holdings.quantity.shape}")
    shape = market.n_sessions, n_portfolios
    if market.n_sessions == 0 or not flows.contributions.shape == flows.withdrawals.shape == shape:
        shapes = flows.contributions.shape, flows.withdrawals.shape
        raise ValueError(f"flows must have shape {shape}, at least one session, was {shapes}")
    if n_positions and not 0 <= positions.portfolio.min() <= positions.portfolio.max() < n_portfolios:
        largest = positions.portfolio.max()
        raise ValueError(f"portfolios of positions must be in 0..{n_portfolios - 1}, was up to {largest}")
