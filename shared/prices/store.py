"""Writing the replica: the bars of `prices.updated`, only where they differ from what is there."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.arrays import FloatArray
from shared.contracts.market_data import CorporateAction, Correction, PriceBlock, PricesUpdated
from shared.db.bulk import Columns, Replacing, upsert

_TOUCHING: Final = Replacing(touch={"written_by": "pg_current_xact_id()"})

Cells = dict[tuple[str, date], float]

_STORE_SYMBOLS = sa.text(
    """
    INSERT INTO price_symbols AS p (symbol, source)
    SELECT symbol, source FROM unnest(CAST(:symbols AS text[]), CAST(:sources AS text[])) AS s (symbol, source)
    WHERE NOT EXISTS (
        SELECT 1 FROM price_symbols k
        WHERE k.symbol = s.symbol AND k.source IS NOT DISTINCT FROM coalesce(s.source, k.source))
    ORDER BY symbol
    ON CONFLICT (symbol) DO UPDATE SET source = excluded.source
    WHERE excluded.source IS NOT NULL AND p.source IS DISTINCT FROM excluded.source
    """
)
# Where nothing was stored there is nothing to take back.
_TAKE_BACK = sa.text(
    """
    UPDATE price_bars b
    SET close = NULL, adjusted = NULL, split = 1, dividend = 0, written_by = pg_current_xact_id()
    FROM unnest(CAST(:ids AS integer[]), CAST(:sessions AS date[])) AS t (symbol_id, session)
    WHERE b.symbol_id = t.symbol_id AND b.session = t.session AND b.close IS NOT NULL
    """
)
_SYMBOL_IDS = sa.text("SELECT symbol, symbol_id FROM price_symbols WHERE symbol = ANY(CAST(:symbols AS text[]))")


async def store_bars(connection: AsyncConnection, event: PricesUpdated) -> int:
    """Write the event's bars and who gave them into the replica, and take back those that count no longer.

    Return how many were new or different.
    """
    if not event.blocks:
        return 0
    ids = await symbol_ids(connection, event.symbols, sources=_sources(event))
    splits, dividends = (_by_cell(actions) for actions in (event.splits, event.dividends))
    written = 0
    for block in event.blocks:
        bars = _block_rows(block, ids, splits, dividends)
        written += await upsert(connection, "price_bars", bars, key=("symbol_id", "session"), replacing=_TOUCHING)
        written += await _take_back(connection, block, ids, event.corrections)
    return written


async def _take_back(
    connection: AsyncConnection, block: PriceBlock, ids: dict[str, int], corrections: Sequence[Correction]
) -> int:
    # a session without a close where the symbol is corrected: what was announced of it counts no longer
    spans = {each.symbol: (each.first_session, each.last_session or each.first_session) for each in corrections}
    gone = [
        (ids[symbol], session)
        for symbol, closes in zip(block.symbols, block.close, strict=True)
        if symbol in spans
        for session, close in zip(block.sessions, closes, strict=True)
        if close is None and spans[symbol][0] <= session <= spans[symbol][1]
    ]
    if not gone:
        return 0
    parameters = {"ids": [symbol_id for symbol_id, _ in gone], "sessions": [session for _, session in gone]}
    return (await connection.execute(_TAKE_BACK, parameters)).rowcount


def _block_rows(block: PriceBlock, ids: dict[str, int], splits: Cells, dividends: Cells) -> Columns:
    close, adjusted = _matrix(block.close, block), _matrix(block.adjusted, block)
    rows, columns = np.nonzero(np.isfinite(close) & np.isfinite(adjusted))
    return {
        "symbol_id": np.array([ids[symbol] for symbol in block.symbols], dtype=np.int64)[rows],
        "session": np.array(block.sessions, dtype=object)[columns],
        "close": close[rows, columns],
        "adjusted": adjusted[rows, columns],
        "split": _grid(splits, block, blank=1.0)[rows, columns],
        "dividend": _grid(dividends, block, blank=0.0)[rows, columns],
    }


async def symbol_ids(
    connection: AsyncConnection, symbols: Sequence[str], *, sources: Mapping[str, str | None]
) -> dict[str, int]:
    """Return the replica's number of each symbol, giving one to the symbols that are new and noting who gives them."""
    parameters = {"symbols": list(symbols), "sources": [sources.get(symbol) for symbol in symbols]}
    await connection.execute(_STORE_SYMBOLS, parameters)
    rows = await connection.execute(_SYMBOL_IDS, {"symbols": list(symbols)})
    return {row.symbol: row.symbol_id for row in rows.all()}


def _sources(event: PricesUpdated) -> dict[str, str | None]:
    named = (zip(block.symbols, block.sources, strict=True) for block in event.blocks if block.sources)
    return {symbol: source for pairs in named for symbol, source in pairs if source is not None}


def _matrix(columns: Sequence[Sequence[float | None]], block: PriceBlock) -> FloatArray:
    return np.array(columns, dtype=float).reshape(len(block.symbols), len(block.sessions))


def _by_cell(actions: Sequence[CorporateAction]) -> Cells:
    return {(action.symbol, action.session): action.value for action in actions}


def _grid(cells: Cells, block: PriceBlock, *, blank: float) -> FloatArray:
    grid = np.full((len(block.symbols), len(block.sessions)), blank)
    row = {symbol: index for index, symbol in enumerate(block.symbols)}
    column = {session: index for index, session in enumerate(block.sessions)}
    for (symbol, session), value in cells.items():
        if symbol in row and session in column:
            grid[row[symbol], column[session]] = value
    return grid
