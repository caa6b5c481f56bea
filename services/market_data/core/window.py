"""The sessions of bars that a run needs."""

from datetime import date, timedelta

import numpy as np

from shared.arrays import DateArray
from shared.calendar import sessions_between
from shared.conventions import HISTORY_DAYS


def planning_window(first_session: date, last_session: date, *, opened_on: date | None = None) -> DateArray:
    """Return the sessions that are kept complete, ascending.

    For estimates as of each session of a run, and where it values a book that was opened before, of each of the book's.
    """
    first = first_session if opened_on is None else min(opened_on, first_session)
    return sessions_array(first - timedelta(days=HISTORY_DAYS), last_session)


def sessions_array(first: date, last: date) -> DateArray:
    """Return the sessions in [first, last], ascending."""
    return np.array(sessions_between(first, last), dtype="datetime64[D]")
