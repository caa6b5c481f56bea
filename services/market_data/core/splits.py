"""Split factors as they were meant, and those that a close does not bear out or that nobody gave."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from services.market_data.core.findings import Rule
from services.market_data.core.series import Series
from shared.arrays import FloatArray

SMALL_DENOMINATOR: Final = 100
ROUNDING_TOLERANCE: Final = 1e-6  # relative

_FORWARD: Final = (1.5, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0)
USUAL_SPLITS: Final = (*_FORWARD, *(1.0 / factor for factor in _FORWARD))
USUAL_TOLERANCE: Final = 0.005  # relative
ORDINARY_MOVE: Final = 0.2  # of a session in which nothing happened to the shares


@dataclass(frozen=True, slots=True)
class SplitVerdict:
    """What a split of a session is taken for; `factor` is the one that is used."""

    rule: Rule
    factor: float
    detail: str


def judge_split(series: Series, row: int) -> SplitVerdict | None:
    """Say what is wrong with the split of a bar, or with that it has none; None: nothing is, or nobody can say.

    A split that is given and does not show in the close, which moved by at most `ORDINARY_MOVE` without it and by more
    with it, belongs to a series that is adjusted already: `SPLIT_WITHOUT_MOVE`, and the quantity stays. Where none is
    given and close over adjusted close changes by a usual split while the adjusted close makes an ordinary move, there
    was one: `INFERRED_SPLIT`, and it is used. Another change by more than `ORDINARY_MOVE`, such as a spin-off's, is
    told and nothing else: `UNEXPLAINED_ADJUSTMENT`.
    """
    if row == 0 or series.after_a_halt(row):
        return None
    given = float(series.split[row])
    implied = _implied_split(series, row)
    if given != 1.0:
        return None if _near(implied, given) else _without_move(series, row)
    if np.isnan(implied) or _ordinary(implied):
        return None
    adjusted = f"close over adjusted close changed by {implied:.6g} and no split is given"
    for usual in USUAL_SPLITS:
        if _near(implied, usual) and _ordinary(float(series.adjusted[row] / series.adjusted[row - 1])):
            return SplitVerdict(Rule.INFERRED_SPLIT, usual, adjusted)
    return SplitVerdict(Rule.UNEXPLAINED_ADJUSTMENT, 1.0, f"{adjusted}, which is no usual one")


def _without_move(series: Series, row: int) -> SplitVerdict | None:
    close, before = float(series.close[row]), float(series.close[row - 1])
    given, dividend = float(series.split[row]), float(series.dividend[row])
    if _ordinary((close + dividend) * given / before) or not _ordinary((close + dividend) / before):
        return None
    return SplitVerdict(
        Rule.SPLIT_WITHOUT_MOVE, 1.0, f"the split {given:.6g} is given and the close went from {before} to {close}"
    )


def _implied_split(series: Series, row: int) -> float:
    # what the adjustment of the bar before says beyond the dividend that is given; NaN where nothing is adjusted
    close, before = float(series.close[row]), float(series.close[row - 1])
    kept = 1.0 - float(series.dividend[row] * series.split[row]) / before
    if kept <= 0.0:
        return np.nan
    return float((before / series.adjusted[row - 1]) / (close / series.adjusted[row])) * kept


def _ordinary(ratio: float) -> bool:
    return abs(ratio - 1.0) <= ORDINARY_MOVE


def _near(ratio: float, factor: float) -> bool:
    return abs(ratio / factor - 1.0) <= USUAL_TOLERANCE


def unrounded(splits: FloatArray) -> FloatArray:
    """Return split factors with those that a vendor rounded replaced by the small fraction that they are next to.

    Vendors print one share for seven as 0.1428572, and seven hundred shares become 100.00004. A factor within
    `ROUNDING_TOLERANCE` of a fraction, or of its inverse for a factor below one, whose denominator is at most
    `SMALL_DENOMINATOR` is that fraction; another one is what it is, and so is one that is no positive number.
    """
    exact = splits.copy()
    for row in np.flatnonzero(np.isfinite(splits) & (splits > 0.0) & (splits != 1.0)).tolist():
        given = Fraction(float(splits[row]))
        whole = max(given, 1 / given).limit_denominator(SMALL_DENOMINATOR)
        near = whole if given > 1 else 1 / whole
        if abs(near - given) <= ROUNDING_TOLERANCE * near:
            exact[row] = float(near)
    return exact
