"""The sector under which a symbol is reported: one name for every provider's, in every service."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

UNCLASSIFIED: Final = "Unclassified"
ETFS: Final = "ETFs"

# Names that providers use -> ours.
_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Financial Services": "Financials",
        "Financial": "Financials",
        "Consumer Cyclical": "Consumer Discretionary",
        "Consumer Defensive": "Consumer Staples",
        "Basic Materials": "Materials",
        "Health Care": "Healthcare",
        "Information Technology": "Technology",
        "Unknown": UNCLASSIFIED,
        "": UNCLASSIFIED,
    }
)


def sector_name(sector: str | None, *, is_etf: bool | None) -> str:
    """Return the sector under which a symbol is reported: a fund as `ETFS`, an unknown one as `UNCLASSIFIED`."""
    if is_etf:
        return ETFS
    name = (sector or "").strip()
    return _NAMES.get(name, name)
