"""How far the books of a service are behind the last closed session."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from shared.calendar import sessions_between
from shared.metrics.catalogue import BOOKS, BOOKS_BEHIND, BOOKS_STALE
from shared.metrics.service_metrics import Reading


def staleness(books: Mapping[date, int], last_closed: date) -> Sequence[Reading]:
    """Return how many books there are, how many are stale, and how far the oldest is behind.

    Parameters
    ----------
    books : mapping of date to int
        How many books are done up to that day.
    last_closed : date
        The session up to which they should be.
    """
    stale = {day: count for day, count in books.items() if day < last_closed}
    behind = len(sessions_between(min(stale) + timedelta(days=1), last_closed)) if stale else 0
    return (
        Reading(BOOKS, sum(books.values())),
        Reading(BOOKS_STALE, sum(stale.values())),
        Reading(BOOKS_BEHIND, behind),
    )
