"""Mark positions over one session: splits, dividends, entries, exits, then the close."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from services.portfolio.core.cents import round_half_even, round_quantity, round_to_cents
from services.portfolio.core.trades import ExitRound, PositionArrays, Quotes
from shared.arrays import BoolArray, FloatArray, IntArray
from shared.conventions import SILENT_SESSIONS


class MarkSource(IntEnum):
    """Where the price of a mark comes from."""

    CLOSE = 0  # the close of the session
    CARRIED = 1  # an earlier close: stale
    COST = 2  # its own entry price: never priced
    EXIT = 3  # the exit price: nothing is left
    DELISTED = 4  # an earlier close, of what has not been traded for `SILENT_SESSIONS`


@dataclass(frozen=True, slots=True)
class Holdings:
    """Positions at a close, arrays of shape (n_positions,); quantity 0 where nothing is held.

    `market_value` and `cost` are in cents. `splits_known`: every split since the entry is in the quantity.
    """

    quantity: FloatArray
    mark: FloatArray
    mark_source: IntArray
    mark_age: IntArray
    market_value: IntArray
    cost: IntArray
    splits_known: BoolArray

    @classmethod
    def none(cls, n_positions: int) -> "Holdings":
        """Return positions of which nothing is held yet."""
        zeros = np.zeros(n_positions, dtype=np.int64)
        quantity, mark, source = np.zeros(n_positions), np.full(n_positions, np.nan), zeros + MarkSource.COST
        return cls(quantity, mark, source, zeros, zeros, zeros, np.ones(n_positions, dtype=np.bool_))


@dataclass(frozen=True, slots=True)
class PositionDay:
    """One session of the positions, arrays of shape (n_positions,); amounts in cents."""

    closing: Holdings
    active: BoolArray
    pnl: IntArray
    exit_pnl: IntArray
    realised_pnl: IntArray
    dividends: IntArray
    exited: BoolArray
    oversold: BoolArray


@dataclass(frozen=True, slots=True)
class _ExitGains:
    """What the exits of a session brought; the arrays are filled in place, exit round after exit round."""

    exit_pnl: IntArray
    realised_pnl: IntArray
    exited: BoolArray
    oversold: BoolArray

    @classmethod
    def none(cls, n_positions: int) -> "_ExitGains":
        """Return what no exit has brought yet."""
        zeros, no = np.zeros(n_positions, dtype=np.int64), np.zeros(n_positions, dtype=np.bool_)
        return cls(zeros, zeros.copy(), no, no.copy())

    def take(self, now: ExitRound, *, held: Holdings, positions: PositionArrays) -> None:
        """Close part or all of some positions of `held`, in place."""
        position = now.position
        quantity, value, cost = held.quantity[position], held.market_value[position], held.cost[position]
        size = np.where(np.isnan(now.size), np.abs(quantity), now.size)
        closed = np.copysign(np.minimum(size, np.abs(quantity)), quantity)
        left = round_quantity(quantity - closed, out_of=quantity)
        share = np.divide(left, quantity, out=np.zeros_like(left), where=quantity != 0)
        value_left, cost_left = _part(value, share), _part(cost, share)
        proceeds = round_to_cents(closed * positions.multiplier[position] * now.price)
        self.exit_pnl[position] += proceeds - (value - value_left)
        self.realised_pnl[position] += proceeds - (cost - cost_left)
        self.exited[position] |= quantity != 0
        self.oversold[position] |= size > np.abs(quantity)
        held.quantity[position], held.market_value[position], held.cost[position] = left, value_left, cost_left
        gone = (left == 0) & (quantity != 0)
        held.mark[position[gone]] = now.price[gone]
        held.mark_source[position[gone]] = MarkSource.EXIT
        held.mark_age[position[gone]] = 0


def _part(cents: IntArray, share: FloatArray) -> IntArray:
    return round_half_even(cents.astype(np.float64) * share)


def advance(
    holdings: Holdings, positions: PositionArrays, *, quotes: Quotes, exits: Iterable[ExitRound], session: int
) -> PositionDay:
    """Take positions from the previous close to this one."""
    splits = quotes.split != 1.0
    quantity = np.where(splits, round_quantity(holdings.quantity * quotes.split), holdings.quantity)
    dividends = round_to_cents(quotes.dividend * quantity * positions.multiplier)

    entered = positions.entry_session == session
    active = entered | (holdings.quantity != 0)
    bought = positions.entry_quantity * positions.multiplier * positions.entry_price
    outlay = round_to_cents(np.where(entered, bought, 0.0))
    held = Holdings(
        quantity=np.where(entered, positions.entry_quantity, quantity),
        mark=np.where(entered, positions.entry_price, holdings.mark / quotes.split),
        mark_source=np.where(entered, MarkSource.COST, holdings.mark_source),
        mark_age=np.where(entered, 0, holdings.mark_age + 1),
        market_value=np.where(entered, outlay, holdings.market_value),
        cost=np.where(entered, outlay, holdings.cost),
        splits_known=entered | holdings.splits_known,
    )

    gains = _ExitGains.none(outlay.size)
    for now in exits:
        gains.take(now, held=held, positions=positions)

    closing = _at_close(held, positions, close=quotes.close)
    pnl = closing.market_value - held.market_value + gains.exit_pnl + dividends
    return PositionDay(
        closing, active, pnl, gains.exit_pnl, gains.realised_pnl, dividends, gains.exited, gains.oversold
    )


def _at_close(held: Holdings, positions: PositionArrays, *, close: FloatArray) -> Holdings:
    """Mark what is held at the close; without one, the old mark and the old value stay, so that P&L is exactly 0."""
    has_quantity = held.quantity != 0
    priced = has_quantity & np.isfinite(close)
    old = has_quantity & ~priced & np.isin(held.mark_source, (MarkSource.CLOSE, MarkSource.CARRIED))
    # A contract that nobody trades still has a value; it ends by itself.
    silent = (held.mark_age >= SILENT_SESSIONS) & (positions.multiplier == 1)
    carried = np.where(silent, MarkSource.DELISTED, MarkSource.CARRIED)
    source = np.where(priced, MarkSource.CLOSE, np.where(old, carried, held.mark_source))
    value = held.quantity * positions.multiplier * np.where(priced, close, 0.0)
    at_close = round_to_cents(np.where(priced, value, 0.0))
    return Holdings(
        quantity=held.quantity,
        mark=np.where(priced, close, held.mark),
        mark_source=source,
        mark_age=np.where(priced | ~has_quantity, 0, held.mark_age),
        market_value=np.where(priced, at_close, np.where(has_quantity, held.market_value, 0)),
        cost=np.where(has_quantity, held.cost, 0),
        splits_known=held.splits_known,
    )
