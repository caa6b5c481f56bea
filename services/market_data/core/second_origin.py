"""A sample of each night's closes, held against those of another provider."""

import zlib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from services.market_data.core.findings import Finding, Rule

TOLERANCE: Final = 0.005  # relative: closing auctions and last trades differ by less
ROUNDS: Final = 5  # sessions until everybody's turn has come
AT_MOST: Final = 20  # of a shard: the other provider's allowance is for what the first one does not have


def whose_turn(symbols: Sequence[str], session_number: int) -> list[str]:
    """Return the symbols whose closes of a session are compared, the same ones in every process."""
    mine = [symbol for symbol in sorted(symbols) if zlib.crc32(symbol.encode()) % ROUNDS == session_number % ROUNDS]
    return mine[:AT_MOST]


def differing(
    closes: Mapping[str, float], others: Mapping[str, float], *, session: date, other: str, source: Mapping[str, str]
) -> list[Finding]:
    """Return a finding about each close that another provider gives otherwise; one it does not have says nothing."""
    found = []
    for symbol, close in sorted(closes.items()):
        second = others.get(symbol)
        if second is not None and abs(second - close) > TOLERANCE * close:
            detail = f"close {close:g} from {source[symbol]}, {second:g} from {other}"
            found.append(Finding(symbol, session, Rule.ORIGINS_DIFFER, detail, source[symbol], value=close))
    return found
