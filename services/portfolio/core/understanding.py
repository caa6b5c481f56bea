"""What a book would be as it was entered, before anything of it is priced."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from services.portfolio.core.cents import cents_of, decimal_of
from services.portfolio.core.inheritance import SplitHistory, find_oversold
from services.portfolio.core.positions import Exit, PositionTerms, multiplier
from shared.unavailable import Reason, Unavailable

_NEVER_SPLIT: Final = SplitHistory(since=date.min, last=date.max)


@dataclass(frozen=True, slots=True)
class Understanding:
    """A book by its own terms, at the prices of its trades; splits between them are not known yet.

    `gross` and `cash_left` are what is held, both sides added up, and what of the equity is not in it, after the last
    trade. `before_opening` counts the positions entered before the first session, `first_entry` is the earliest of all.
    `oversold` are in words the exits of more than was held, unless it was split before.
    """

    positions: int
    gross: Decimal
    cash_left: Decimal
    gross_over_equity: float | Unavailable
    before_opening: int
    first_entry: date | None
    oversold: tuple[str, ...]


def understand(terms: Sequence[PositionTerms], *, opening_equity: Decimal, opened_on: date) -> Understanding:
    """Return what a book is understood to be.

    What is held at the opening is in the equity at its entry prices; trades from then on move cash.
    """
    gross, cash = Decimal(0), opening_equity
    for entry in terms:
        taken, _ = _sold(entry.quantity, [closing for closing in entry.exits if closing.on < opened_on])
        left, proceeds = _sold(taken, [closing for closing in entry.exits if closing.on >= opened_on])
        cash += (proceeds - taken * entry.entry_price) * multiplier(entry.kind)
        gross += abs(left) * entry.entry_price * multiplier(entry.kind)
    closed = [(entry.symbol, find_oversold(entry, _NEVER_SPLIT)) for entry in terms if entry.exits]
    nothing = Unavailable(Reason.DEGENERATE_INPUT, f"the opening equity is {opening_equity}")
    return Understanding(
        positions=len(terms),
        gross=decimal_of(cents_of(gross)),
        cash_left=decimal_of(cents_of(cash)),
        gross_over_equity=float(gross / opening_equity) if opening_equity > 0 else nothing,
        before_opening=sum(entry.entry_date < opened_on for entry in terms),
        first_entry=min((entry.entry_date for entry in terms), default=None),
        oversold=tuple(too_much.told(symbol) for symbol, too_much in closed if too_much is not None),
    )


def _sold(quantity: Decimal, exits: Sequence[Exit]) -> tuple[Decimal, Decimal]:
    """Return what exits leave of a quantity, and what they bring a unit of the multiplier; a short one pays."""
    proceeds = Decimal(0)
    for closing in exits:
        size = abs(quantity) if closing.quantity is None else min(closing.quantity, abs(quantity))
        proceeds += size.copy_sign(quantity) * closing.price
        quantity -= size.copy_sign(quantity)
    return quantity, proceeds
