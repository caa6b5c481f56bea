"""Returns over a window of a portfolio's days (methodology, 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from scipy.optimize import brentq

from tests.system.plain.known import DEGENERATE, NOT_APPLICABLE, Number
from tests.system.plain.ledger import Day


@dataclass(frozen=True)
class Window:
    """The days of a window, and the close before: its day, equity and index."""

    days: Sequence[Day]
    eve: date
    equity: Decimal
    index: Number

    def sums(self) -> dict[str, Decimal]:
        names = {"flows": "flow", "contributions": "contributions", "withdrawals": "withdrawals", "pnl": "pnl"}
        return {name: sum((getattr(day, of) for day in self.days), Decimal(0)) for name, of in names.items()}


def window_of(days: Sequence[Day], opening_equity: Decimal, first: date, eve: date) -> Window:
    """The window from a session to the last day."""
    start = next(number for number, day in enumerate(days) if day.session >= first)
    before = days[start - 1] if start else None
    equity, index = (before.equity, before.index) if before else (opening_equity, 1.0)
    return Window(days[start:], eve, equity, index)


def time_weighted(window: Window) -> Number:
    """The daily returns chained."""
    last = window.days[-1].index
    if isinstance(last, str) or isinstance(window.index, str):
        return DEGENERATE
    return last / window.index - 1


def money_weighted(window: Window) -> Number:
    """The one rate at which what was paid in grows to what is there, over the days that money was there."""
    paid = _dated(window)
    if not min(paid.values(), default=0) < 0 < max(paid.values(), default=0):
        return DEGENERATE
    first, last = min(paid), max(paid)
    span = (last - first).days

    def worth(growth: float) -> float:
        """What everything is worth at the end."""
        return sum((amount * float(growth ** ((last - day).days / span)) for day, amount in paid.items()), 0.0)

    return float(brentq(worth, 1e-6, 1e6, xtol=1e-15, rtol=1e-14)) - 1


def _dated(window: Window) -> dict[date, float]:
    """What was paid in (negative, there from its session's open: at the close before) and taken out, at the close."""
    closes = [window.eve, *(day.session for day in window.days)]
    paid = dict.fromkeys(closes, 0.0)
    paid[window.eve] -= float(window.equity)
    for before, day in zip(closes, window.days, strict=False):
        paid[before] -= float(day.contributions)
        paid[day.session] += float(day.withdrawals)
    paid[closes[-1]] += float(window.days[-1].equity)
    return {day: amount for day, amount in paid.items() if amount}


def money_weighted_annual(window: Window) -> Number:
    """A year's money-weighted return."""
    paid = _dated(window)
    return annual(money_weighted(window), (max(paid) - min(paid)).days if paid else 0)


def time_weighted_annual(window: Window) -> Number:
    """A year's time-weighted return."""
    return annual(time_weighted(window), (window.days[-1].session - window.eve).days)


def annual(whole: Number, days: int) -> Number:
    """A year's return at the rate of a window; a window shorter than a year has none."""
    if isinstance(whole, str):
        return whole
    return NOT_APPLICABLE if days < 365 else float((1 + whole) ** (365 / days)) - 1


@dataclass(frozen=True)
class Fall:
    """The deepest fall of the index below its highest value so far, and when; the falls at every close."""

    depth: Number
    current: Number
    peak: date | None = None
    trough: date | None = None
    recovery: date | None = None
    falls: tuple[float, ...] = ()
    worst: tuple[tuple[float, date, date, date | None], ...] = ()

    def when(self) -> dict[str, date | None]:
        return {"peak": self.peak, "trough": self.trough, "recovery": self.recovery}


def drawdown(window: Window) -> Fall:
    """The deepest fall of the window; the close before it counts as a peak."""
    values = [window.index, *(day.index for day in window.days)]
    days = [window.eve, *(day.session for day in window.days)]
    index = [value for value in values if not isinstance(value, str)]
    if len(index) < len(values):
        return Fall(DEGENERATE, DEGENERATE)
    falls = [value / max(index[: place + 1]) - 1 for place, value in enumerate(index)]
    worst = sorted(_episodes(falls, days), key=lambda episode: episode[0])[:5]
    depth, peak, trough, recovery = worst[0] if worst else (0.0, days[0], days[0], days[0])
    return Fall(depth, falls[-1], peak, trough, recovery, tuple(falls[1:]), tuple(worst))


def _episodes(falls: list[float], days: list[date]) -> list[tuple[float, date, date, date | None]]:
    """Every fall as depth, peak, trough and recovery, walking from one close to the next."""
    found: list[tuple[float, date, date, date | None]] = []
    under_water = False
    for place in range(1, len(falls)):
        if falls[place] == 0:
            if under_water:
                found[-1] = (*found[-1][:3], days[place])
            under_water = False
        elif not under_water:
            found.append((falls[place], days[place - 1], days[place], None))
            under_water = True
        elif falls[place] < found[-1][0]:
            found[-1] = (falls[place], found[-1][1], days[place], None)
    return found
