"""The in-memory price panel: the replica as arrays, kept up to date by asking only for what it has not seen.

A bar takes 16 bytes, and splits and dividends next to nothing: 5,000 symbols over three years are 60 MiB.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.arrays import FloatArray, IntArray
from shared.calendar import all_sessions, session_ordinals
from shared.db.bulk import copy_out
from shared.prices.sparse import SparseLayer
from shared.prices.window import PriceWindow

_EPOCH = np.datetime64("2000-01-01", "D")  # PostgreSQL sends dates as days since then
_BAR_FIELDS = (
    ("symbol_id", ">i4"),
    ("session", ">i4"),
    ("close", ">f8"),
    ("adjusted", ">f8"),
    ("split", ">f8"),
    ("dividend", ">f8"),
)
# The table may have been put in the place of another one, in which symbols have other ids.
_NOW = "SELECT pg_current_snapshot()::text, 'price_bars'::regclass::oid::bigint"
_BARS = (
    "SELECT symbol_id, session, coalesce(close, 'NaN') AS close, coalesce(adjusted, 'NaN') AS adjusted, "
    "split, dividend FROM price_bars"
)
# A row is new when the transaction that wrote it was not visible to the snapshot of the last refresh. Ids alone
# would miss a transaction that began earlier and committed later.
_UNSEEN = "{bars} WHERE written_by >= pg_snapshot_xmin('{seen}') AND NOT pg_visible_in_snapshot(written_by, '{seen}')"


_ALL = "{bars} WHERE symbol_id > {after} AND symbol_id <= {last}"
_LARGEST_ID: Final = 2**31 - 1
_READ_AT_ONCE: Final = 250  # symbols; what comes over the wire is four times as large as what is kept


class PricePanel:
    """All bars of a replica, one row a symbol and one column a session.

    Reads are consistent with what was committed when `refresh` was called; call it in the handler that needs the
    prices of its run, after the fan-in.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._lock = asyncio.Lock()
        self._forget(0)

    def _forget(self, table: int) -> None:
        self._table = table
        self._seen: str | None = None
        self._row: dict[str, int] = {}
        self._row_of_id = np.full(1, -1, dtype=np.int64)
        self._first = 0  # ordinal of the session in column 0
        self._data = np.empty((2, 0, 0))  # close and adjusted
        self._splits, self._dividends = SparseLayer(1.0), SparseLayer(0.0)

    async def refresh(self) -> None:
        """Take in the bars that were committed since the last refresh."""
        async with self._lock, self._engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            snapshot, table = (await connection.execute(sa.text(_NOW))).one()
            if table != self._table:
                self._forget(table)
            async for bars in self._unseen(connection):
                await self._learn_symbols(connection, int(bars["symbol_id"].max()))
                self._take(bars)
            self._seen = snapshot

    async def _unseen(self, connection: AsyncConnection) -> AsyncIterator[NDArray[np.void]]:
        """Read the bars that are not in the panel yet, in parts."""
        queries = [_UNSEEN.format(bars=_BARS, seen=self._seen)]
        if self._seen is None:
            largest = await connection.scalar(sa.text("SELECT coalesce(max(symbol_id), 0) FROM price_symbols"))
            ends = [*range(_READ_AT_ONCE, largest, _READ_AT_ONCE), _LARGEST_ID]
            queries = [_ALL.format(bars=_BARS, after=after, last=last) for after, last in pairwise([0, *ends])]
        for query in queries:
            bars = await copy_out(connection, query, _BAR_FIELDS)
            if len(bars):
                yield bars

    async def _learn_symbols(self, connection: AsyncConnection, largest_id: int) -> None:
        if largest_id < len(self._row_of_id) and (self._row_of_id[1:] >= 0).all():
            return
        known = (await connection.execute(sa.text("SELECT symbol_id, symbol FROM price_symbols ORDER BY 1"))).all()
        rows = np.full(max(largest_id, *(symbol_id for symbol_id, _ in known)) + 1, -1, dtype=np.int64)
        for symbol_id, symbol in known:
            rows[symbol_id] = self._row.setdefault(symbol, len(self._row))
        self._row_of_id = rows

    def _take(self, bars: NDArray[np.void]) -> None:
        ordinals = session_ordinals(_EPOCH + bars["session"].astype("timedelta64[D]"))
        inside = ordinals >= 0
        bars, ordinals = bars[inside], ordinals[inside]
        if not len(bars):
            return
        self._grow(int(ordinals.min()), int(ordinals.max()))
        rows, columns = self._row_of_id[bars["symbol_id"]], ordinals - self._first
        if (rows < 0).any():
            strangers = sorted(set(bars["symbol_id"][rows < 0].tolist()))
            raise ValueError(f"bars must be of known symbols, were of the numbers {strangers[:10]}")
        for layer, name in enumerate(("close", "adjusted")):
            self._data[layer, rows, columns] = bars[name]
        self._splits.put(rows, ordinals, bars["split"].astype(np.float64))
        self._dividends.put(rows, ordinals, bars["dividend"].astype(np.float64))

    def _grow(self, first: int, last: int) -> None:
        _, rows, columns = self._data.shape
        start = min(first, self._first) if columns else first
        stop = max(last + 1, self._first + columns) if columns else last + 1
        wanted = (len(self._row), stop - start)
        if wanted == (rows, columns) and start == self._first:
            return
        # Room to spare, so that a session a night does not copy everything every night.
        spare = 0 if stop - start == columns else 32
        grown = np.full((2, wanted[0], min(wanted[1] + spare, len(all_sessions()) - start)), np.nan)
        offset = self._first - start if columns else 0
        grown[:, :rows, offset : offset + columns] = self._data
        self._data, self._first = grown, start

    def window(self, symbols: Sequence[str], *, last: date, sessions: int) -> PriceWindow:
        """Return the prices of `symbols` over the `sessions` sessions that end at `last`.

        Unknown symbols and sessions outside the panel are columns and rows without bars. Where the calendar begins
        later, there are as many sessions as it has.

        Raises
        ------
        ValueError
            If `last` is not a session.
        """
        rows, start, end = self._place(symbols, last, sessions)
        layers = (
            *self._block(slice(None), rows, start, end),
            self._splits.block(rows, start, end),
            self._dividends.block(rows, start, end),
        )
        close, adjusted, split, dividend = (np.ascontiguousarray(layer.T) for layer in layers)
        return PriceWindow(all_sessions()[start : end + 1], tuple(symbols), close, adjusted, split, dividend)

    def adjusted(self, symbols: Sequence[str], *, last: date, sessions: int) -> FloatArray:
        """Return the adjusted prices of such a window alone, (n_symbols, n_sessions), as they lie here.

        Raises
        ------
        ValueError
            If `last` is not a session.
        """
        layer: FloatArray = self._block(slice(1, 2), *self._place(symbols, last, sessions))[0]
        return layer

    def _place(self, symbols: Sequence[str], last: date, sessions: int) -> tuple[IntArray, int, int]:
        end = int(session_ordinals([last])[0])
        if end < 0:
            raise ValueError(f"last must be a session, was {last}")
        rows = np.array([self._row.get(symbol, -1) for symbol in symbols], dtype=np.int64)
        return rows, max(end - sessions + 1, 0), end

    def _block(self, layers: slice, rows: IntArray, start: int, end: int) -> FloatArray:
        """Return layers of rows, unknown where negative, in [start, end]: (n_layers, n_rows, n_sessions)."""
        data = self._data[layers]
        out = np.full((len(data), len(rows), end - start + 1), np.nan)
        known = np.flatnonzero((rows >= 0) & (rows < data.shape[1]))
        low, high = max(start, self._first), min(end + 1, self._first + data.shape[2])
        if low < high and len(known):
            block = data[:, :, low - self._first : high - self._first]
            out[:, known, low - start : high - start] = block[:, rows[known]]
        return out
