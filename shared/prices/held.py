"""Closes that are held back, kept beside the replica of prices: they say why prices are missing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.market_data import PricesUpdated
from shared.db.bulk import Columns, upsert

_FORGET = sa.text("DELETE FROM held_closes WHERE symbol = ANY(CAST(:symbols AS text[]))")
_LOAD = sa.text(
    """
    SELECT symbol, session, rule FROM held_closes
    WHERE symbol = ANY(CAST(:symbols AS text[])) AND session BETWEEN :first AND :last ORDER BY symbol, session
    """
)


@dataclass(frozen=True, slots=True)
class Held:
    """A session whose close is held, and the rule that holds it."""

    session: date
    rule: str


async def store_held(connection: AsyncConnection, event: PricesUpdated) -> None:
    """Keep what the event says is held of its symbols, in place of what was said of them."""
    if event.held is None:
        return
    await connection.execute(_FORGET, {"symbols": list(event.symbols)})
    columns: Columns = {
        "symbol": [each.symbol for each in event.held],
        "session": [each.session for each in event.held],
        "rule": [each.rule for each in event.held],
    }
    await upsert(connection, "held_closes", columns, key=("symbol", "session"))


async def load_held(
    connection: AsyncConnection, symbols: Sequence[str], *, first: date, last: date
) -> dict[str, list[Held]]:
    """Return what is held of symbols in [first, last], oldest first; of most, nothing."""
    held: dict[str, list[Held]] = defaultdict(list)
    for row in await connection.execute(_LOAD, {"symbols": list(symbols), "first": first, "last": last}):
        held[row.symbol].append(Held(row.session, row.rule))
    return dict(held)


def taints_of(held: Mapping[str, Sequence[Held]], symbols: Sequence[str], *, first: date, last: date) -> dict[str, str]:
    """Return in words what is held of the closes of symbols in [first, last], of those of which anything is."""
    inside = {
        symbol: [entry for entry in held[symbol] if first <= entry.session <= last]
        for symbol in symbols
        if symbol in held
    }
    return {symbol: taint_of(symbol, entries) for symbol, entries in inside.items() if entries}


def taint_of(symbol: str, held: Sequence[Held]) -> str:
    """Return in words what is held of a symbol: the newest session, and how many more.

    Examples
    --------
    >>> taint_of("A", [Held(date(2023, 3, 28), "UNEXPLAINED_JUMP")])
    'UNEXPLAINED_JUMP of A on 2023-03-28'
    """
    newest = held[-1]
    return f"{newest.rule} of {symbol} on {newest.session}" + (f" and {len(held) - 1} more" if len(held) > 1 else "")
