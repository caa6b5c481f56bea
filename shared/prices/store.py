"""Writing the replica: the bars of `prices.updated`, only where they differ from what is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Self

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.arrays import FloatArray
from shared.contracts.market_data import CorporateAction, Correction, PriceBlock, PricesUpdated
from shared.db.bulk import Columns, Replacing, upsert
from shared.unavailable import nullable

_NEWER: Final = Replacing(position="revision", touch={"written_by": "pg_current_xact_id()"})

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
_SYMBOL_IDS = sa.text("SELECT symbol, symbol_id FROM price_symbols WHERE symbol = ANY(CAST(:symbols AS text[]))")


async def store_bars(connection: AsyncConnection, event: PricesUpdated) -> int:
    """Write the event's bars and who gave them into the replica, and take back those that count no longer.

    A bar that is older than what is there changes nothing. Return how many were new or different.
    """
    if not event.blocks:
        return 0
    ids = await symbol_ids(connection, event.symbols, sources=_sources(event))
    said = _Said.of(event)
    written = 0
    for block in event.blocks:
        bars = _block_rows(block, ids, said)
        written += await upsert(connection, "price_bars", bars, key=("symbol_id", "session"), replacing=_NEWER)
    return written


@dataclass(frozen=True, slots=True)
class _Said:
    """What an event says of single cells."""

    splits: Cells
    inferred: Cells
    dividends: Cells
    corrections: Mapping[str, Correction]

    @classmethod
    def of(cls, event: PricesUpdated) -> Self:
        return cls(
            splits=_by_cell(event.splits),
            inferred=_by_cell([action for action in event.splits if action.inferred]),
            dividends=_by_cell(event.dividends),
            corrections={correction.symbol: correction for correction in event.corrections},
        )


def _block_rows(block: PriceBlock, ids: dict[str, int], said: _Said) -> Columns:
    close, adjusted = _matrix(block.close, block), _matrix(block.adjusted, block)
    present = np.isfinite(close) & np.isfinite(adjusted)
    revision = _matrix(block.revisions, block) if block.revisions else np.zeros(close.shape)
    gone = _taken_back(block, said.corrections)
    revision = np.where(np.isnan(gone), revision, gone)
    rows, columns = np.nonzero(present | np.isfinite(gone))
    return {
        "symbol_id": np.array([ids[symbol] for symbol in block.symbols], dtype=np.int64)[rows],
        "session": np.array(block.sessions, dtype=object)[columns],
        "revision": revision[rows, columns].astype(np.int64),
        "close": nullable(close[rows, columns]),
        "adjusted": nullable(adjusted[rows, columns]),
        "split": _grid(said.splits, block, blank=1.0)[rows, columns],
        "inferred": np.isfinite(_grid(said.inferred, block, blank=np.nan)[rows, columns]),
        "dividend": _grid(said.dividends, block, blank=0.0)[rows, columns],
    }


def _taken_back(block: PriceBlock, corrections: Mapping[str, Correction]) -> FloatArray:
    """Return the revision of which a session has no bar, (n_symbols, n_sessions), NaN for all others.

    Without a close where the symbol is corrected: what was announced of it, or will be by who is late, doesn't count.
    """
    gone = np.full((len(block.symbols), len(block.sessions)), np.nan)
    for row, symbol in enumerate(block.symbols):
        if symbol not in corrections:
            continue
        corrected = corrections[symbol]
        first, last = corrected.first_session, corrected.last_session or corrected.first_session
        for column, (session, close) in enumerate(zip(block.sessions, block.close[row], strict=True)):
            if close is None and first <= session <= last:
                gone[row, column] = corrected.revision
    return gone


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


def _matrix(columns: Sequence[Sequence[float | int | None]], block: PriceBlock) -> FloatArray:
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
