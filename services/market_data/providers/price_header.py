"""The columns of a price file, however vendors spell them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Final

from services.market_data.providers.provider import MissingColumn, UnreadableFile

SYMBOL: Final = "symbol"
DATE: Final = "date"
CLOSE: Final = "close"
BASIS: Final = "close_basis"
CURRENCY: Final = "currency"
# Column of a file -> field of a bar.
NUMBERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        CLOSE: "close",
        "adj_close": "adjusted",
        "open": "open",
        "high": "high",
        "low": "low",
        "volume": "volume",
        "dividend": "dividend",
        "split": "split",
    }
)
# What else each column is called, in small letters and without what is no letter.
_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        SYMBOL: ("ticker",),
        DATE: ("datetime", "timestamp", "session", "tradedate"),
        CLOSE: ("closeprice", "closingprice", "closelast"),
        "adj_close": ("adjustedclose", "closeadj", "adjcloseprice", "adjustedcloseprice"),
        "open": ("openprice",),
        "high": ("highprice",),
        "low": ("lowprice",),
        "volume": ("vol",),
        "dividend": ("dividends", "dividendamount", "divcash", "exdividend", "cashdividend"),
        "split": ("splits", "stocksplit", "stocksplits", "splitfactor", "splitratio", "splitcoefficient"),
        BASIS: (),
        CURRENCY: (),
    }
)
# Vendors send these beside ours, and nothing here needs them.
_NOT_NEEDED: Final = frozenset({"adjopen", "adjhigh", "adjlow", "adjvolume", "capitalgains"})
_OURS: Final = frozenset(
    "close closing adj adjusted dividend dividends div split splits symbol ticker date volume".split()  # noqa: SIM905
)
_PADDING: Final = ' \t\r"'
_RESEMBLANCE: Final = 0.8


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


_COLUMN_OF: Final = {
    spelling: column for column, others in _SPELLINGS.items() for spelling in (_letters(column), *others)
}


@dataclass(frozen=True, slots=True)
class Header:
    """Where our columns are in a file, and the names that look like one of ours and are none."""

    places: Mapping[str, int]
    odd: tuple[str, ...]


def read_header(path: Path, names: Sequence[str], *, required: Sequence[str]) -> Header:
    """Return which column of a file is which of ours; capitals, blanks and signs make no difference.

    Raises
    ------
    MissingColumn
        If a required one is missing.
    UnreadableFile
        If one occurs twice.
    """
    stripped = [name.strip(_PADDING) for name in names]
    columns = [_COLUMN_OF.get(_letters(name)) for name in stripped]
    for column in required:
        if column not in columns:
            raise MissingColumn(path, column, stripped)
    known = [column for column in columns if column is not None]
    if twice := sorted({column for column in known if known.count(column) > 1}):
        spelled = [name for name, column in zip(stripped, columns, strict=True) if column == twice[0]]
        raise UnreadableFile(path, f"column {twice[0]!r} occurs twice, as {' and '.join(map(repr, spelled))}")
    unknown = [name for name, column in zip(stripped, columns, strict=True) if column is None]
    return Header({column: columns.index(column) for column in known}, tuple(filter(_looks_like_ours, unknown)))


def _looks_like_ours(name: str) -> bool:
    if _letters(name) in _NOT_NEEDED:
        return False
    words = set(re.findall("[a-z]+", name.lower()))
    return bool(words & _OURS or get_close_matches(_letters(name), _COLUMN_OF, n=1, cutoff=_RESEMBLANCE))
