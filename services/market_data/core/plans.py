"""What the plans of vendors let be asked (`docs/providers.md` says from where)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from shared.calendar import close_at

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_YEAR: Final = 365
_NEW_YORK: Final = ZoneInfo("America/New_York")
_EVENING: Final = timedelta(hours=17, minutes=30)
# Requests of shorter windows are spread evenly and waited for; of a longer one a night may take its share at once.
PACED_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Window:
    """How many requests are allowed within so many seconds."""

    requests: int
    seconds: float

    def for_background(self) -> "Window":
        """Return what runs that can wait may use of it."""
        if self.seconds <= PACED_S:
            return self
        return Window(int(self.requests * BACKGROUND_SHARE), self.seconds)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a plan allows.

    Parameters
    ----------
    windows : tuple of Window
        None: as much as one likes.
    history_days : int or None
        How far back it reaches, None: as far as the vendor.
    periods : int
        How many periods of statements may be asked for at once.
    complete_from : timedelta or None
        How long after the midnight of New York before it a session is complete there; None: as soon as it has settled.
    """

    windows: tuple[Window, ...] = ()
    history_days: int | None = None
    periods: int = 20
    complete_from: timedelta | None = None

    def complete_at(self, session: date) -> datetime:
        """Return when the bars of a session are complete."""
        closed = close_at(session)
        if self.complete_from is None:
            return closed
        midnight = datetime.combine(session, time(), tzinfo=_NEW_YORK)
        return max(closed, (midnight + self.complete_from).astimezone(UTC))


# Who is asked for sessions of the whole market: a history costs a request of its own.
BY_SESSION: Final = frozenset({"massive"})

# What runs that can wait may use of a window that a night may take at once.
BACKGROUND_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Spent:
    """Nothing is left of a window for so many seconds; `reserved`: for runs that can wait, others may have some."""

    seconds: float
    reserved: bool = False


UNLIMITED: Final = Plan()

# Nobody says what is allowed there: what others have seen answered.
_YAHOO: Final = Plan((Window(60, _MINUTE), Window(2_000, _HOUR)))

# vendor -> plan -> what it allows
PLANS: Final[Mapping[str, Mapping[str, Plan]]] = MappingProxyType(
    {
        "fmp": {
            "free": Plan((Window(250, _DAY),), periods=5),
            "starter": Plan((Window(300, _MINUTE),)),
            "premium": Plan((Window(750, _MINUTE),)),
            "ultimate": Plan((Window(3_000, _MINUTE),)),
        },
        "fred": {"free": Plan((Window(120, _MINUTE),))},
        "massive": {
            # What it reaches back counts from today, and what is asked for from the last session: a few days later.
            "free": Plan((Window(5, _MINUTE),), history_days=2 * _YEAR - 10, complete_from=timedelta(hours=24)),
            "starter": Plan(history_days=5 * _YEAR - 10),
            "developer": Plan(history_days=10 * _YEAR - 10),
            "advanced": UNLIMITED,
        },
        "tiingo": {
            "free": Plan((Window(50, _HOUR), Window(1_000, _DAY)), complete_from=_EVENING),
            "power": Plan((Window(10_000, _HOUR), Window(100_000, _DAY)), complete_from=_EVENING),
        },
        "yahoo": {"free": _YAHOO},
        "yahooquery": {"free": _YAHOO},
    }
)

# Who asks the servers of another one: what is counted there is counted together, and where one of them is not answered
# the other one is not asked.
ORIGINS: Final[Mapping[str, str]] = MappingProxyType({"yahooquery": "yahoo"})


def hours_and_minutes(after_midnight: timedelta) -> str:
    """Return an hour of a session's day as it is written: 24:00 is the end of it."""
    minutes = after_midnight // timedelta(minutes=1)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def origin_of(vendor: str) -> str:
    """Return whose servers are asked."""
    return ORIGINS.get(vendor, vendor)


def beside(vendor: str) -> frozenset[str]:
    """Return the others that ask the same servers."""
    return frozenset(each for each in PLANS if origin_of(each) == origin_of(vendor)) - {vendor}
