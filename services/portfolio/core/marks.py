"""How old the prices are that a book stands at."""

from dataclasses import dataclass

import numpy as np

from shared.arrays import IntArray, ReasonArray
from shared.unavailable import Reason, Unavailable, no_reasons


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of what portfolios hold, arrays of shape (n_sessions, n_portfolios).

    `held` counts all of them, `carried` those from an earlier close, `fresh` those at a close of the session; `oldest`
    is the age in sessions of the oldest one carried, 0 without any.
    """

    held: IntArray
    carried: IntArray
    fresh: IntArray
    oldest: IntArray

    def reasons(self) -> ReasonArray:
        """Return why a session says nothing of a return: some marks are carried, and none is of its close."""
        reasons = no_reasons(self.held.shape)
        for cell in zip(*np.nonzero((self.carried > 0) & (self.fresh == 0)), strict=True):
            detail = marks_carried(int(self.carried[cell]), held=int(self.held[cell]), oldest=int(self.oldest[cell]))
            reasons[cell] = Unavailable(Reason.STALE_INPUT, detail)
        return reasons


def marks_carried(carried: int, *, held: int, oldest: int) -> str:
    """Return what is said of carried marks.

    Examples
    --------
    >>> marks_carried(12, held=12, oldest=982)
    '12 of 12 marks carried, the oldest 982 sessions old'
    """
    sessions = "session" if oldest == 1 else "sessions"
    return f"{carried} of {held} marks carried, the oldest {oldest} {sessions} old"
