"""Two companies as no market ever saw them: what the servers of the vendors' shapes speak of."""

from dataclasses import dataclass
from datetime import date

from shared.calendar import sessions_between

HISTORY = (date(2022, 1, 3), date(2022, 12, 28))
_BEGAN_AT = {"AAPL": 151.25, "KO": 88.5, "BRK.B": 310.0}
SPLIT_ON, DIVIDEND_ON = date(2022, 3, 15), date(2022, 3, 8)


@dataclass(frozen=True)
class Bar:
    """A session of a company, as traded."""

    day: date
    close: float
    split: float
    dividend: float

    @property
    def low(self) -> float:
        return round(self.close * 0.99, 4)

    @property
    def high(self) -> float:
        return round(self.close * 1.01, 4)

    @property
    def open(self) -> float:
        return round(self.close * 0.995, 4)

    @property
    def volume(self) -> int:
        return 1_000 * self.day.day


def history(symbol: str) -> list[Bar]:
    """Return the bars of AAPL, of which KO differs by a split of two for one and a dividend; of others none.

    KO1 is another company with the bars of KO.
    """
    name = symbol.rstrip("123456789")
    if name not in _BEGAN_AT:
        return []
    bars, price = [], _BEGAN_AT[name]
    for number, day in enumerate(sessions_between(*HISTORY)):
        split = 2.0 if name == "KO" and day == SPLIT_ON else 1.0
        price = round(price * (1.004 if number % 3 else 0.994) / split, 4)
        bars.append(Bar(day, price, split, 0.22 if name == "KO" and day == DIVIDEND_ON else 0.0))
    return bars


def adjusted(bars: list[Bar]) -> list[float]:
    """Return the closes adjusted for what came later, computed one step at a time."""
    factor, closes = 1.0, [bars[-1].close]
    for bar, before in zip(bars[:0:-1], bars[-2::-1], strict=True):
        factor *= (1.0 - bar.dividend * bar.split / before.close) / bar.split
        closes.append(before.close * factor)
    return closes[::-1]
