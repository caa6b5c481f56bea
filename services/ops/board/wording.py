"""How pages write numbers, times and states: the filters of the templates."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from services.ops.client.reasons import sentence, why
from services.ops.client.wording import amount, change, day, gain, share
from shared.printable import counted

_NOTHING: Final = "–"
_MINUTE_S: Final = 60.0


def count(number: int | None) -> str:
    """Return a count with its thousands apart."""
    return _NOTHING if number is None else f"{number:,}"


def whole(number: float | None) -> str:
    """Return a number that was measured, to the next whole one."""
    return count(None if number is None else round(number))


def duration(seconds: float | None) -> str:
    """Return how long something takes: seconds with a decimal below a minute, else hours, minutes and seconds."""
    if seconds is None:
        return _NOTHING
    return f"{seconds:.1f} s" if seconds < _MINUTE_S else str(timedelta(seconds=round(seconds)))


def moment(text: str | None) -> str:
    """Return an instant to the second, in UTC."""
    return _NOTHING if text is None else f"{text[:10]} {text[11:19]}Z"


def took(first: str, last: str | None) -> str:
    """Return how long it is from one instant to another."""
    return duration(None if last is None else seconds_between(first, last))


def seconds_between(first: str, last: str) -> float:
    """Return the seconds from one instant to another."""
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def words(name: str) -> str:
    """Return the name of a state, a stage or a rule as words."""
    return name.replace("_", " ")


def sessions(first: str, last: str) -> str:
    """Return one session, or from which to which."""
    return first if first == last else f"{first} to {last}"


FILTERS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            *(count, counted, duration, moment, sessions, took, whole, words),
            *(amount, change, day, gain, sentence, share, why),
        )
    }
)
