"""What held closes made unavailable says so."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.arrays import IntArray, ReasonArray
from shared.unavailable import Reason, Unavailable, is_available


@dataclass(frozen=True, slots=True)
class Taint:
    """What is held of a symbol's closes, in words, and how many sessions ago the newest of them was."""

    text: str
    age: int


def tainted(
    reasons: ReasonArray, taints: Sequence[Taint | None], *, reach: Sequence[int], silent: IntArray
) -> ReasonArray:
    """Return reasons that name what is held of the symbol's closes, where that is why prices are missing.

    Parameters
    ----------
    reasons : ndarray of object, shape (n_symbols, n_columns)
    taints : sequence of Taint or None
        By symbol; empty where nothing is held of any.
    reach : sequence of int
        How many sessions the numbers of each column look back on; negative: on no prices at all.
    silent : ndarray of int64, shape (n_symbols,)
        Sessions since the last close: what was held since then is why there is none.

    Returns
    -------
    ndarray of object, shape (n_symbols, n_columns)
    """
    if not any(taints):
        return reasons
    told = reasons.copy()
    for symbol, taint in enumerate(taints):
        for column in np.flatnonzero(~is_available(reasons[symbol])).tolist() if taint else ():
            why: Unavailable = reasons[symbol, column]
            far = {Reason.MISSING_DATA: max(reach[column], silent[symbol]), Reason.STALE_INPUT: silent[symbol]}
            if taint is not None and reach[column] >= 0 and taint.age < far.get(why.reason, 0):
                told[symbol, column] = Unavailable(why.reason, f"{why.detail}; tainted by {taint.text}")
    return told
