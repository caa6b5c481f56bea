"""What companies do to their shares, with the days that belong to it and who says so."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from services.market_data.core.findings import Finding, Rule


class ActionKind(StrEnum):
    """What was done."""

    DIVIDEND = "dividend"  # cash a share
    SPLIT = "split"  # new shares for one old
    SPIN_OFF = "spin_off"  # shares of another company for one
    MERGER = "merger"  # shares of another company, or cash, in its place


# What changes a book in a way that nobody works out for it: it is told, and entered by hand.
TOLD: Final = frozenset({ActionKind.SPIN_OFF, ActionKind.MERGER})


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """An action of a company.

    Parameters
    ----------
    symbol : str
    kind : ActionKind
    ex_day : date
        The first day on which the share is without it.
    value : float or None
        The cash a share of a dividend, the new shares for one of the others; None: nobody says.
    pay_day : date or None
    other : str or None
        The company whose shares there are instead or beside.
    """

    symbol: str
    kind: ActionKind
    ex_day: date
    value: float | None = None
    pay_day: date | None = None
    other: str | None = None


def told(actions: Iterable[CorporateAction], *, source: str, first: date, last: date) -> list[Finding]:
    """Return what an operator is told of actions on [first, last]."""
    return [
        Finding(
            each.symbol,
            each.ex_day,
            Rule.CORPORATE_ACTION,
            f"{each.kind.value.replace('_', '-')}"
            f"{f' into {each.other}' if each.other else ''}"
            f"{f', {each.value:g} for one' if each.value is not None else ''}: no book is changed by it",
            source,
        )
        for each in actions
        if each.kind in TOLD and first <= each.ex_day <= last
    ]
