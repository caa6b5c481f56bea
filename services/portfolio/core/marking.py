"""Mark lots over one session: splits, dividends, entries, exits, then the close."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from services.portfolio.core.cents import round_half_even, round_quantity, round_to_cents
from services.portfolio.core.trades import ExitRound, Lots, Quotes
from shared.arrays import BoolArray, FloatArray, IntArray


class MarkSource(IntEnum):
    """Where the price of a mark comes from."""

    CLOSE = 0  # the close of the session
    CARRIED = 1  # an earlier close: stale
    COST = 2  # its own entry price: never priced
    EXIT = 3  # the exit price: nothing is left


@dataclass(frozen=True, slots=True)
class Holdings:
    """Lots at a close, arrays of shape (n_lots,); quantity 0 where nothing is held.

    `market_value` and `cost` are in cents.
    """

    quantity: FloatArray
    mark: FloatArray
    mark_source: IntArray
    mark_age: IntArray
    market_value: IntArray
    cost: IntArray

    @classmethod
    def none(cls, n_lots: int) -> "Holdings":
        """Return lots of which nothing is held yet."""
        zeros = np.zeros(n_lots, dtype=np.int64)
        return cls(np.zeros(n_lots), np.full(n_lots, np.nan), zeros + MarkSource.COST, zeros, zeros, zeros)


@dataclass(frozen=True, slots=True)
class PositionDay:
    """One session of the lots, arrays of shape (n_lots,); amounts in cents."""

    closing: Holdings
    active: BoolArray
    pnl: IntArray
    exit_pnl: IntArray
    realised_pnl: IntArray
    dividends: IntArray
    oversold: BoolArray


@dataclass(frozen=True, slots=True)
class _ExitBooks:
    """What the exits of a session did; the arrays are filled in place, exit round after exit round."""

    exit_pnl: IntArray
    realised_pnl: IntArray
    oversold: BoolArray

    def book(self, now: ExitRound, *, held: Holdings, lots: Lots) -> None:
        """Close part or all of some lots of `held`, in place."""
        lot = now.lot
        quantity, value, cost = held.quantity[lot], held.market_value[lot], held.cost[lot]
        size = np.where(np.isnan(now.size), np.abs(quantity), now.size)
        closed = np.copysign(np.minimum(size, np.abs(quantity)), quantity)
        left = round_quantity(quantity - closed)
        share = np.divide(left, quantity, out=np.zeros_like(left), where=quantity != 0)
        value_left, cost_left = _part(value, share), _part(cost, share)
        proceeds = round_to_cents(closed * lots.multiplier[lot] * now.price)
        self.exit_pnl[lot] += proceeds - (value - value_left)
        self.realised_pnl[lot] += proceeds - (cost - cost_left)
        self.oversold[lot] |= size > np.abs(quantity)
        held.quantity[lot], held.market_value[lot], held.cost[lot] = left, value_left, cost_left
        gone = (left == 0) & (quantity != 0)
        held.mark[lot[gone]] = now.price[gone]
        held.mark_source[lot[gone]] = MarkSource.EXIT
        held.mark_age[lot[gone]] = 0


def _part(cents: IntArray, share: FloatArray) -> IntArray:
    return round_half_even(cents.astype(np.float64) * share)


def advance(holdings: Holdings, lots: Lots, *, quotes: Quotes, exits: Iterable[ExitRound], session: int) -> PositionDay:
    """Take lots from the previous close to this one."""
    splits = quotes.split != 1.0
    quantity = np.where(splits, round_quantity(holdings.quantity * quotes.split), holdings.quantity)
    dividends = round_to_cents(quotes.dividend * quantity * lots.multiplier)

    entered = lots.entry_session == session
    active = entered | (holdings.quantity != 0)
    outlay = round_to_cents(np.where(entered, lots.entry_quantity * lots.multiplier * lots.entry_price, 0.0))
    held = Holdings(
        quantity=np.where(entered, lots.entry_quantity, quantity),
        mark=np.where(entered, lots.entry_price, holdings.mark / quotes.split),
        mark_source=np.where(entered, MarkSource.COST, holdings.mark_source),
        mark_age=np.where(entered, 0, holdings.mark_age + 1),
        market_value=np.where(entered, outlay, holdings.market_value),
        cost=np.where(entered, outlay, holdings.cost),
    )

    books = _ExitBooks(np.zeros_like(outlay), np.zeros_like(outlay), np.zeros(outlay.size, dtype=np.bool_))
    for now in exits:
        books.book(now, held=held, lots=lots)

    closing = _at_close(held, lots, close=quotes.close)
    pnl = closing.market_value - held.market_value + books.exit_pnl + dividends
    return PositionDay(closing, active, pnl, books.exit_pnl, books.realised_pnl, dividends, books.oversold)


def _at_close(held: Holdings, lots: Lots, *, close: FloatArray) -> Holdings:
    """Mark what is held at the close; without one, the old mark and the old value stay, so that P&L is exactly 0."""
    has_quantity = held.quantity != 0
    priced = has_quantity & np.isfinite(close)
    carried = has_quantity & ~priced & (held.mark_source == MarkSource.CLOSE)
    source = np.where(priced, MarkSource.CLOSE, np.where(carried, MarkSource.CARRIED, held.mark_source))
    at_close = round_to_cents(np.where(priced, held.quantity * lots.multiplier * np.where(priced, close, 0.0), 0.0))
    return Holdings(
        quantity=held.quantity,
        mark=np.where(priced, close, held.mark),
        mark_source=source,
        mark_age=np.where(priced | ~has_quantity, 0, held.mark_age),
        market_value=np.where(priced, at_close, np.where(has_quantity, held.market_value, 0)),
        cost=np.where(has_quantity, held.cost, 0),
    )
