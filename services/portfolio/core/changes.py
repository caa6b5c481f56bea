"""What made the value of a portfolio another one: between two sessions, or two revisions of one (methodology, changes).

Amounts are exact decimals of cents. What changed is taken out in a fixed order, flows, positions, dividends, prices,
and what is left then is due to corrections or, where another version of the code made the later number, to that: the
parts are the whole.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final
from uuid import UUID

_CENT: Final = Decimal("0.01")
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Valued:
    """A revision of a snapshot: equity at the close, the flow of the session, and the code that computed it."""

    equity: Decimal
    flow: Decimal
    code_version: int


@dataclass(frozen=True, slots=True)
class Earned:
    """What a position earned over some sessions; `entered`: it was not held at the close before them."""

    position_id: UUID
    symbol: str
    pnl: Decimal
    exit_pnl: Decimal
    dividends: Decimal
    entered: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A position of a revision of a snapshot: what was held at the close, at which mark, and what it earned."""

    symbol: str
    quantity: Decimal
    mark: Decimal
    pnl: Decimal
    exit_pnl: Decimal
    dividends: Decimal

    @property
    def marked(self) -> Decimal:
        """Return what the marks of what was not sold made."""
        return self.pnl - self.exit_pnl - self.dividends


@dataclass(frozen=True, slots=True)
class PositionChange:
    """What one position added to the change."""

    position_id: UUID
    symbol: str
    positions: Decimal
    dividends: Decimal
    prices: Decimal

    @property
    def total(self) -> Decimal:
        """Return all of it."""
        return self.positions + self.dividends + self.prices


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A change of equity and its parts, in the order in which they are taken out."""

    total: Decimal
    flows: Decimal
    positions: Decimal
    dividends: Decimal
    prices: Decimal
    corrections: Decimal
    code: Decimal
    by_position: tuple[PositionChange, ...]


def between_sessions(before: Valued, after: Valued, *, flows: Decimal, earned: Iterable[Earned]) -> ValueChange:
    """Return what changed equity from the close of one session to that of a later one.

    Parameters
    ----------
    before, after : Valued
        The revisions that are compared.
    flows : Decimal
        All of the sessions after the former's, up to the latter's.
    earned : iterable of Earned
        Over the same sessions.

    Returns
    -------
    ValueChange
        `positions` are what exits fixed and the P&L of what was entered, `prices` that of what was held throughout.
        `corrections` is what the close of the former would have to be changed by for the sessions after it to lead to
        the latter: it was revised after they had been rolled on from it.
    """
    return _change(before, after, flows=flows, parts=[_of_sessions(entry) for entry in earned])


def between_revisions(
    before: Valued, after: Valued, *, old: Mapping[UUID, Held], new: Mapping[UUID, Held]
) -> ValueChange:
    """Return what makes one revision of a session another than an earlier one.

    Parameters
    ----------
    before, after : Valued
    old, new : mapping of position to Held
        Those of the two revisions.

    Returns
    -------
    ValueChange
        `positions` are the P&L of what was added or taken away, exits, and what another quantity makes at the earlier
        P&L a unit; `prices` what is left where the mark is another one. `corrections` are those of sessions before.
    """
    parts = [
        *(_of_revisions(each, old[each], new[each]) for each in old.keys() & new.keys()),
        *(_whole(each, new[each].symbol, new[each].pnl) for each in new.keys() - old.keys()),
        *(_whole(each, old[each].symbol, -old[each].pnl) for each in old.keys() - new.keys()),
    ]
    return _change(before, after, flows=after.flow - before.flow, parts=parts)


def _change(before: Valued, after: Valued, *, flows: Decimal, parts: list[PositionChange]) -> ValueChange:
    positions, dividends, prices = (
        sum((getattr(part, name) for part in parts), _NOTHING) for name in ("positions", "dividends", "prices")
    )
    total = after.equity - before.equity
    left = total - flows - positions - dividends - prices
    same_code = before.code_version == after.code_version
    return ValueChange(
        total=total,
        flows=flows,
        positions=positions,
        dividends=dividends,
        prices=prices,
        corrections=left if same_code else _NOTHING,
        code=_NOTHING if same_code else left,
        by_position=tuple(sorted(parts, key=lambda part: (-abs(part.total), part.symbol, part.position_id))),
    )


def _of_sessions(entry: Earned) -> PositionChange:
    moved = entry.pnl - entry.dividends
    traded = moved if entry.entered else entry.exit_pnl
    return PositionChange(entry.position_id, entry.symbol, traded, entry.dividends, moved - traded)


def _of_revisions(position_id: UUID, old: Held, new: Held) -> PositionChange:
    scaled = old.marked if old.quantity in {new.quantity, 0} else _cents(old.marked * new.quantity / old.quantity)
    traded = scaled - old.marked + new.exit_pnl - old.exit_pnl
    # Under the same mark another price of the close before moves P&L from one session to the other, and no equity.
    moved = _NOTHING if old.mark == new.mark else new.marked - scaled
    return PositionChange(position_id, new.symbol, traded, new.dividends - old.dividends, moved)


def _whole(position_id: UUID, symbol: str, pnl: Decimal) -> PositionChange:
    return PositionChange(position_id, symbol, pnl, _NOTHING, _NOTHING)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, rounding=ROUND_HALF_EVEN)
