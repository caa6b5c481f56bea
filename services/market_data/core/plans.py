"""What the plans of vendors let be asked (`docs/providers.md` says from where)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_HOUR, _DAY = 3_600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Window:
    """How many requests are allowed within so many seconds."""

    requests: int
    seconds: float


# vendor -> plan -> its windows; an empty plan is unlimited
PLANS: Final[Mapping[str, Mapping[str, tuple[Window, ...]]]] = MappingProxyType(
    {
        "tiingo": {
            "free": (Window(50, _HOUR), Window(1_000, _DAY)),
            "power": (Window(10_000, _HOUR), Window(100_000, _DAY)),
        },
    }
)
