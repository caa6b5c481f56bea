"""Closes more than tenfold from what was expected of them: held until they are confirmed."""

from typing import Final

import numpy as np

from services.market_data.core.series import Series
from shared.arrays import BoolArray

JUMP_FACTOR: Final = 10.0
CONFIRMING_FACTOR: Final = 3.0  # of a new level, within which further closes confirm it
CONFIRMING_CLOSES: Final = 2
SECOND_OPINION: Final = 0.02  # relative, within which another provider's close confirms a held one


def used_bars(series: Series, *, confirmed: BoolArray) -> BoolArray:
    """Tell which bars count; the others are held.

    A bar counts that lies within `JUMP_FACTOR` of what the last one that counts lets expect. One further away is the
    first of a new level if `CONFIRMING_CLOSES` further ones lie within `CONFIRMING_FACTOR` of it, if no bar came for
    `HALT_SESSIONS` before it, or if somebody confirms it; then the bars of the new level that had been held count, too.
    The first level is confirmed in the same way: where none is, the first bar is believed.

    The answer depends on the bars alone: not on when they came, nor on how their history was cut.

    Parameters
    ----------
    series : Series
        At least one bar.
    confirmed : ndarray of bool, shape (n_bars,)
        Those that an operator or another provider vouches for.

    Returns
    -------
    ndarray of bool, shape (n_bars,)
    """
    used = np.zeros(len(series.close), dtype=bool)
    first = _first_believed(series)
    used[first] = True
    _walk_back(series, used, [*range(first)], first)
    used[:first] |= confirmed[:first]
    reference, held = first, list[int]()
    for row in range(first + 1, len(used)):
        if not series.within(row, reference, JUMP_FACTOR):
            held.append(row)
            begin = _new_level(series, held, vouched=bool(confirmed[row]))
            if begin is None:
                continue
            used[[bar for bar in held if bar >= begin]] = True
            _walk_back(series, used, [bar for bar in held if bar < begin], begin)
        used[row] = True
        reference, held = row, []
    return used


def confirms(other: float, held: float) -> bool:
    """Tell whether the close of another provider, NaN where it has none, confirms a held one."""
    return abs(other - held) <= SECOND_OPINION * held


def _first_believed(series: Series) -> int:
    # what came before a halt was the level of another time, and nothing here says that it was none
    count = len(series.close)
    first = next((row for row in range(count - CONFIRMING_CLOSES) if _is_level(series, row, row + 1, row + 2)), 0)
    return next((row - 1 for row in range(1, first + 1) if series.after_a_halt(row)), first)


def _new_level(series: Series, held: list[int], *, vouched: bool) -> int | None:
    # the first bar of the level that the newest held one confirms
    if vouched or series.after_a_halt(held[-1]):
        return held[-1]
    level = held[-1 - CONFIRMING_CLOSES :]
    return level[0] if len(level) > CONFIRMING_CLOSES and _is_level(series, *level) else None


def _is_level(series: Series, first: int, *further: int) -> bool:
    return all(series.within(row, first, CONFIRMING_FACTOR) for row in further)


def _walk_back(series: Series, used: BoolArray, rows: list[int], following: int) -> None:
    # the bars before one that counts are measured from it, the latest first
    for row in reversed(rows):
        if series.within(following, row, JUMP_FACTOR):
            used[row] = True
            following = row
