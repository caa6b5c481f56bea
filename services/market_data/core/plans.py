"""What the plans of vendors let be asked (`docs/providers.md` says from where)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_YEAR: Final = 365
# Requests of shorter windows are spread evenly and waited for; of a longer one a night may take its share at once.
PACED_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Window:
    """How many requests are allowed within so many seconds."""

    requests: int
    seconds: float


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
    """

    windows: tuple[Window, ...] = ()
    history_days: int | None = None
    periods: int = 20


# Who is asked for sessions of the whole market: a history costs a request of its own.
BY_SESSION: Final = frozenset({"massive"})

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
            "free": Plan((Window(5, _MINUTE),), history_days=2 * _YEAR - 10),
            "starter": Plan(history_days=5 * _YEAR - 10),
            "developer": Plan(history_days=10 * _YEAR - 10),
            "advanced": UNLIMITED,
        },
        "tiingo": {
            "free": Plan((Window(50, _HOUR), Window(1_000, _DAY))),
            "power": Plan((Window(10_000, _HOUR), Window(100_000, _DAY))),
        },
        "yahoo": {"free": _YAHOO},
        "yahooquery": {"free": _YAHOO},
    }
)

# Who asks the servers of another one: what is counted there is counted together, and where one of them is not answered
# the other one is not asked.
ORIGINS: Final[Mapping[str, str]] = MappingProxyType({"yahooquery": "yahoo"})


def origin_of(vendor: str) -> str:
    """Return whose servers are asked."""
    return ORIGINS.get(vendor, vendor)


def beside(vendor: str) -> frozenset[str]:
    """Return the others that ask the same servers."""
    return frozenset(each for each in PLANS if origin_of(each) == origin_of(vendor)) - {vendor}
