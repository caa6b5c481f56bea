"""What was bought before a book's first valuation, as it stands at the opening."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import prod
from typing import Final

import numpy as np

from services.portfolio.core.cents import cents_of, round_quantity
from services.portfolio.core.marking import MarkSource
from services.portfolio.core.positions import Basis, PositionTerms, PositionType, multiplier
from shared.calendar import session_on_or_after, shift_session

# Of a quantity: what a split leaves of a share is not more than was held.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class PositionState:
    """A position at a close, as stored: quantity after splits and exits, last mark, value and cost in cents.

    `splits_known`: every split since it was bought is in the quantity.
    """

    quantity: float
    mark: float
    mark_source: MarkSource
    mark_age: int
    market_value: int
    cost: int
    splits_known: bool = True


@dataclass(frozen=True, slots=True)
class LastClose:
    """The last close of a symbol on or before the opening session, in its shares; `age` in sessions."""

    price: float
    age: int = 0


@dataclass(frozen=True, slots=True)
class SplitHistory:
    """The splits of a symbol, oldest first, and the first and the last session of its history; None without any."""

    since: date | None = None
    splits: tuple[tuple[date, float], ...] = ()
    last: date | None = None

    def reaches(self, session: date) -> bool:
        """Tell whether every split after a session is known."""
        return self.since is not None and self.since <= session

    def factor(self, bought: date, until: date) -> float:
        """Return what a share bought on a session has become on a later one."""
        return prod(factor for session, factor in self.splits if bought < session <= until)


def inherited_state(
    terms: PositionTerms, *, until: date, last_close: LastClose | None, history: SplitHistory
) -> PositionState:
    """Return a position as it stands at a close without having been valued before.

    One as traded is in the shares of its entry: splits since then have changed quantity and price, and its exits are in
    the shares of their days. One as of the opening is in the shares of that close. Either is marked at the last close,
    unless that is older than the purchase.

    Parameters
    ----------
    terms : PositionTerms
        As entered.
    until : date
        The session of the close.
    last_close : LastClose or None
        Of its symbol.
    history : SplitHistory
        Of its symbol, of an option of its underlying.
    """
    bought = session_on_or_after(terms.entry_date)
    is_split = _is_split(terms)

    def factor(session: date) -> float:
        return history.factor(bought, session) if is_split else 1.0

    left = terms.quantity  # in the shares of the entry
    for closing in _closings(terms, history):
        if closing.on <= until:
            left = closing.left
    quantity = float(round_quantity(np.array(float(left) * factor(until))))
    cost = cents_of(left * terms.entry_price * multiplier(terms.kind)) if quantity else 0
    known = not is_split or history.reaches(bought)
    if last_close is None or quantity == 0 or shift_session(until, -last_close.age) < bought:
        mark = float(terms.entry_price) / factor(until)
        return PositionState(quantity, mark, MarkSource.COST, 0, cost, cost, known)
    value = cents_of(Decimal(str(quantity)) * Decimal(str(last_close.price)) * multiplier(terms.kind))
    source = MarkSource.CARRIED if last_close.age else MarkSource.CLOSE
    return PositionState(quantity, last_close.price, source, last_close.age, value, cost, known)


@dataclass(frozen=True, slots=True)
class Closing:
    """An exit beside what was held before it, in the shares of its day (`size`, `held`), and what it left.

    `left` is in the shares of the entry.
    """

    on: date
    size: float
    held: float
    left: Decimal

    def told(self, symbol: str) -> str:
        """Return it in words."""
        return f"closes {self.size:,.10g} of {symbol} on {self.on}, when {self.held:,.10g} were held"

    @property
    def is_of_more_than_held(self) -> bool:
        """Tell whether it asks for more than there was; the rounding of a split is nothing."""
        return self.size > self.held * (1 + _ROUNDING)


def find_oversold(terms: PositionTerms, history: SplitHistory) -> Closing | None:
    """Return the first exit of more than was held, where every split between the entry and that day is known.

    What is in the shares of the opening is not judged: which splits came before it is not said.
    """
    if terms.kind is PositionType.PRIVATE:
        known_until = date.max
    elif terms.basis is Basis.AS_TRADED and history.reaches(session_on_or_after(terms.entry_date)):
        known_until = history.last or date.min
    else:
        return None
    closings = _closings(terms, history)
    return next((each for each in closings if each.is_of_more_than_held and each.on <= known_until), None)


def _closings(terms: PositionTerms, history: SplitHistory) -> Iterator[Closing]:
    bought, left = session_on_or_after(terms.entry_date), terms.quantity
    for exit_ in terms.exits:
        factor = history.factor(bought, session_on_or_after(exit_.on)) if _is_split(terms) else 1.0
        held = abs(left)
        size = held if exit_.quantity is None else exit_.quantity / Decimal(factor)
        left -= min(size, held).copy_sign(left)
        yield Closing(exit_.on, float(size) * factor, float(held) * factor, left)


def _is_split(terms: PositionTerms) -> bool:
    return terms.basis is Basis.AS_TRADED and terms.kind is not PositionType.PRIVATE
