"""Which closes count and which are held (methodology, 2), bar by bar in exact fractions."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

TENFOLD, THREEFOLD, HALT = 10, 3, 5


@dataclass(frozen=True)
class Bar:
    """A close on the session with this number; a split is effective and a dividend is paid on it."""

    session: int
    close: Fraction
    split: Fraction = Fraction(1)
    dividend: Fraction = Fraction(0)


def held(bars: Sequence[Bar]) -> set[int]:
    """The sessions whose closes are not used."""
    counting = _counting(bars)
    return {bar.session for place, bar in enumerate(bars) if place not in counting}


def _counting(bars: Sequence[Bar]) -> set[int]:
    first = _beginning(bars)
    counting = {first} | _leading_to(bars, range(first), first)
    level, doubtful = first, list[int]()
    for place in range(first + 1, len(bars)):
        if _near(bars, level, place, TENFOLD):
            counting.add(place)
            level, doubtful = place, []
            continue
        doubtful.append(place)
        begin = _confirmed_since(bars, doubtful)
        if begin is not None:
            counting |= {each for each in doubtful if each >= begin}
            counting |= _leading_to(bars, [each for each in doubtful if each < begin], begin)
            level, doubtful = place, []
    return counting


def _beginning(bars: Sequence[Bar]) -> int:
    """The first bar that two further ones agree with, or the one before the first halt until then."""
    agreed = [place for place in range(len(bars) - 2) if _agree(bars, place, place + 1, place + 2)]
    first = agreed[0] if agreed else 0
    halts = [place for place in range(1, first + 1) if _halted(bars, place)]
    return halts[0] - 1 if halts else first


def _confirmed_since(bars: Sequence[Bar], doubtful: Sequence[int]) -> int | None:
    """From where on doubtful bars are confirmed by the newest of them: after a halt itself, else the third last."""
    if _halted(bars, doubtful[-1]):
        return doubtful[-1]
    if len(doubtful) >= 3 and _agree(bars, *doubtful[-3:]):
        return doubtful[-3]
    return None


def _agree(bars: Sequence[Bar], first: int, second: int, third: int) -> bool:
    return _near(bars, first, second, THREEFOLD) and _near(bars, first, third, THREEFOLD)


def _halted(bars: Sequence[Bar], place: int) -> bool:
    """No bar on five sessions or more before it."""
    return place > 0 and bars[place].session - bars[place - 1].session - 1 >= HALT


def _leading_to(bars: Sequence[Bar], places: Sequence[int], counted: int) -> set[int]:
    """The earlier bars that lead to one that counts, each to the next one that does."""
    found = set[int]()
    for place in sorted(places, reverse=True):
        if _near(bars, place, counted, TENFOLD):
            found.add(place)
            counted = place
    return found


def _near(bars: Sequence[Bar], before: int, after: int, factor: int) -> bool:
    """Whether a close is within a factor of the earlier one, over the splits and less the dividends since."""
    expected = bars[before].close
    for bar in bars[before + 1 : after + 1]:
        expected = expected / bar.split - bar.dividend
        if expected <= 0:
            return True
    return expected <= factor * bars[after].close and bars[after].close <= factor * expected
