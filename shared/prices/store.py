"""Writing the replica: the bars of `prices.updated`, only where they differ from what is there."""

from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.market_data import PricesUpdated
from shared.db.bulk import upsert
from shared.unavailable import FloatArray

_INSERT_SYMBOLS = sa.text(
    """
    INSERT INTO price_symbols (symbol) SELECT s FROM unnest(CAST(:symbols AS text[])) AS s
    WHERE NOT EXISTS (SELECT 1 FROM price_symbols k WHERE k.symbol = s) ORDER BY s ON CONFLICT DO NOTHING
    """
)
_SYMBOL_IDS = sa.text("SELECT symbol, symbol_id FROM price_symbols WHERE symbol = ANY(CAST(:symbols AS text[]))")


async def store_bars(connection: AsyncConnection, event: PricesUpdated) -> int:
    """Write the event's bars into the replica and return how many were new or different."""
    close, adjusted = _matrix(event.close, event), _matrix(event.adjusted, event)
    rows, columns = np.nonzero(np.isfinite(close) & np.isfinite(adjusted))
    if not len(rows):
        return 0
    split, dividend = _events(event)
    ids = await symbol_ids(connection, event.symbols)
    id_of_row = np.array([ids[symbol] for symbol in event.symbols])
    sessions = np.array(event.sessions, dtype=object)
    bars = {
        "symbol_id": id_of_row[rows],
        "session": sessions[columns],
        "close": close[rows, columns],
        "adjusted": adjusted[rows, columns],
        "split": split[rows, columns],
        "dividend": dividend[rows, columns],
    }
    touch = {"written_by": "pg_current_xact_id()"}
    return await upsert(connection, "price_bars", bars, key=("symbol_id", "session"), touch=touch)


async def symbol_ids(connection: AsyncConnection, symbols: Sequence[str]) -> dict[str, int]:
    """Return the replica's number of each symbol, giving one to the symbols that are new."""
    await connection.execute(_INSERT_SYMBOLS, {"symbols": list(symbols)})
    rows = await connection.execute(_SYMBOL_IDS, {"symbols": list(symbols)})
    return {row.symbol: row.symbol_id for row in rows.all()}


def _matrix(columns: Sequence[Sequence[float | None]], event: PricesUpdated) -> FloatArray:
    return np.array(columns, dtype=float).reshape(len(event.symbols), len(event.sessions))


def _events(event: PricesUpdated) -> tuple[FloatArray, FloatArray]:
    shape = (len(event.symbols), len(event.sessions))
    split, dividend = np.ones(shape), np.zeros(shape)
    row = {symbol: index for index, symbol in enumerate(event.symbols)}
    column = {session: index for index, session in enumerate(event.sessions)}
    for target, actions in ((split, event.splits), (dividend, event.dividends)):
        for action in actions:
            target[row[action.symbol], column[action.session]] = action.value
    return split, dividend
