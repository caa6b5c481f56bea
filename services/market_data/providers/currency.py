"""Currencies as vendors write them: pence, cents and agorot are hundredths of what a book is in."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# What is quoted so is in hundredths of that; a capital makes the difference between pence and pounds.
_HUNDREDTHS: Final[Mapping[str, str]] = MappingProxyType(
    {"GBp": "GBP", "GBX": "GBP", "GBx": "GBP", "ZAc": "ZAR", "ZAC": "ZAR", "ILA": "ILS"}
)
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}", re.ASCII)
HUNDRED: Final = 100.0


def currency_of(text: str) -> str | None:
    """Return the currency that prices are in once hundredths are counted as such, None where it is none."""
    if not _CURRENCY.fullmatch(text):
        return None
    return _HUNDREDTHS.get(text, text.upper())


def in_hundredths(text: str) -> bool:
    """Tell whether prices in a currency, as a vendor writes it, are hundredths."""
    return text in _HUNDREDTHS
