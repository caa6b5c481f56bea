"""A calendar of sessions on a terminal: a column a week, a row a weekday."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from enum import Enum
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from services.ops.client.answers.coverage import Session

WEEKS: Final = 53  # beside one another, then the next block begins
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri")


class Stand(Enum):
    """How the cells of a session stand together: the sign, legible without its colour, the colour, the meaning."""

    DONE = ("■", "green", "done")
    PARTLY = ("◧", "yellow", "partly")
    FAILED = ("✗", "red", "failed")
    MISSING = ("·", "yellow", "never asked for")
    CLOSED = ("–", "dim", "closed")
    NOTHING = (" ", "", "blank: nothing expected")

    def sign(self) -> tuple[str, str]:
        """Return the sign and its colour."""
        return self.value[:2]


def stand_of(session: Session) -> Stand:
    """Return how a session stands, over all of its facts."""
    expected = sum(count["expected"] for count in session["counts"])
    done = sum(count["done"] for count in session["counts"])
    failed = sum(count["failed"] for count in session["counts"])
    if not expected:
        return Stand.NOTHING
    if done == expected:
        return Stand.DONE
    if done:
        return Stand.PARTLY
    return Stand.FAILED if failed else Stand.MISSING


def session_grid(sessions: Sequence[Session]) -> RenderableType:
    """Return the calendar from the first to the last session; a weekday between them that is no session was closed."""
    stands = {date.fromisoformat(session["session"]): stand_of(session) for session in sessions}
    mondays = list(_mondays(min(stands), max(stands)))
    lines = [
        line
        for start in range(0, len(mondays), WEEKS)
        for line in (_months(mondays[start : start + WEEKS]), *_rows(mondays[start : start + WEEKS], stands))
    ]
    return Group(*lines, _legend())


def _mondays(first: date, last: date) -> Iterator[date]:
    monday = date.fromisocalendar(*first.isocalendar()[:2], 1)
    while monday <= last:
        yield monday
        monday += timedelta(days=7)


def _months(mondays: Sequence[date]) -> Text:
    """Return the line of months, each above the first week that ends in it, with the year where one begins."""
    line, before = "", None
    for place, monday in enumerate(mondays):
        friday = monday + timedelta(days=4)
        # A name that would run into the one before waits for the next week.
        if (friday.year, friday.month) != before and len(line) <= 2 * place:
            new_year = before is None or friday.year != before[0]
            before = (friday.year, friday.month)
            line = line.ljust(2 * place) + friday.strftime("%b '%y " if new_year else "%b ")
    return Text("    " + line.rstrip(), style="bold")


def _rows(mondays: Sequence[date], stands: Mapping[date, Stand]) -> Iterator[Text]:
    first, last = min(stands), max(stands)
    for weekday, name in enumerate(_WEEKDAYS):
        row = Text(f"{name} ")
        for monday in mondays:
            day = monday + timedelta(days=weekday)
            stand = stands.get(day, Stand.CLOSED if first < day < last else Stand.NOTHING)
            row.append(*stand.sign()).append(" ")
        row.rstrip()
        yield row


def _legend() -> Text:
    legend = Text()
    for stand in Stand:
        legend.append(*stand.sign()).append(f" {stand.value[2]}   ")
    legend.rstrip()
    return legend
