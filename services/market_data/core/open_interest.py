"""How many contracts of an option are open at the end of a session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from shared.calendar import shift_session


@dataclass(frozen=True, slots=True)
class OpenInterest:
    """So many contracts of an option were open at the end of a session."""

    symbol: str
    session: date
    contracts: int


def first_to_ask(newest: Mapping[str, date], options: Sequence[str], *, since: date, until: date) -> date | None:
    """Return from which session on open interest is to be asked for, None where nothing can be new.

    Clearing houses tell it on the morning after: of `until` it is not known yet in its own evening.
    """
    known = shift_session(until, -1)
    lacking = [newest.get(option) for option in options if newest.get(option, date.min) < known]
    if not lacking:
        return None
    return max(since, min((shift_session(day, 1) if day is not None else since for day in lacking), default=since))
