"""The sector tag of each position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.unavailable import Reason, Unavailable

UNCATEGORIZED: Final = "Uncategorized"


@dataclass(frozen=True, slots=True)
class SectorTag:
    """The tag of a position: its sector, or `UNCATEGORIZED` with the reason why there is none."""

    name: str
    unavailable: Unavailable | None = None


def sector_tag(symbol: str, sectors: Mapping[str, str | None]) -> SectorTag:
    """Return the tag of a symbol from the sectors of the known profiles."""
    if symbol not in sectors:
        return SectorTag(UNCATEGORIZED, Unavailable(Reason.MISSING_DATA, f"no profile of {symbol}"))
    name = (sectors[symbol] or "").strip()
    if not name:
        return SectorTag(UNCATEGORIZED, Unavailable(Reason.MISSING_DATA, f"the profile of {symbol} names no sector"))
    return SectorTag(name)


def sector_tags(symbols: Sequence[str], sectors: Mapping[str, str | None]) -> tuple[SectorTag, ...]:
    """Return the tags of positions, a function of the profiles alone: tagging twice changes nothing."""
    return tuple(sector_tag(symbol, sectors) for symbol in symbols)
