"""The SQL of market_data: instruments, bars, findings."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.bars import BAR_FIELDS, Bars, RevisedBars
from services.market_data.core.findings import DECIDED, Finding, Rule
from services.market_data.core.run_plan import SettledSessions
from shared.arrays import BoolArray, DateArray, days_of
from shared.conventions import SILENT_SESSIONS
from shared.db.bulk import Replacing, copy_out, upsert
from shared.unavailable import Unavailable, nullable

_EPOCH = np.datetime64("2000-01-01", "D")  # PostgreSQL sends dates as days since then
_REVISED_COLUMNS = (
    *(("symbol_id", ">i4"), ("session", ">i4"), ("revision", ">i8")),
    *((name, ">f8") for name in BAR_FIELDS),
)


class BarRow(NamedTuple):
    """A bar, and where it comes from."""

    session: date
    close: float
    adjusted: float
    open: float | None
    high: float | None
    low: float | None
    volume: float | None
    split: float
    dividend: float
    source: str
    fetched_at: datetime


class CoverageRow(NamedTuple):
    """How much of a symbol is stored, or why nothing is."""

    symbol: str
    bars: int
    first_session: date | None
    last_session: date | None
    checked_first: date | None
    checked_through: date | None
    unavailable_reason: str | None
    unavailable_detail: str | None
    profile_fetched_at: datetime | None
    fundamentals_fetched_at: datetime | None


class FindingRow(NamedTuple):
    """What was set aside: which, by which rule, and where it stands."""

    finding_id: int
    provider: str
    rule: str
    symbol: str | None
    day: date | None
    file: str | None
    line: int | None
    detail: str
    value: float | None
    decision: str | None
    run_id: UUID
    found_at: datetime


class FindingCount(NamedTuple):
    """How many rows were set aside by a rule, and of how many symbols."""

    rule: str
    findings: int
    symbols: int


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings; None: whatever it is. `undecided`: those that an operator may decide about and has not."""

    symbol: str | None = None
    rule: Rule | None = None
    run_id: UUID | None = None
    undecided: bool = False


class MarketDataRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_instruments(self, symbols: Sequence[str]) -> None:
        """Watch these symbols from now on."""
        statement = sa.text(
            """
            INSERT INTO instruments (symbol) SELECT s FROM unnest(CAST(:symbols AS text[])) AS s
            WHERE NOT EXISTS (SELECT 1 FROM instruments k WHERE k.symbol = s) ORDER BY s ON CONFLICT DO NOTHING
            """
        )
        await self._connection.execute(statement, {"symbols": list(symbols)})

    async def list_symbols(self) -> tuple[str, ...]:
        """Return every watched symbol, sorted."""
        rows = await self._connection.execute(sa.text("SELECT symbol FROM instruments ORDER BY symbol"))
        return tuple(rows.scalars())

    async def load_symbol_ids(self, symbols: Sequence[str]) -> dict[str, int]:
        """Return the number of each watched symbol."""
        query = sa.text("SELECT symbol, symbol_id FROM instruments WHERE symbol = ANY(CAST(:symbols AS text[]))")
        rows = await self._connection.execute(query, {"symbols": list(symbols)})
        return {row.symbol: row.symbol_id for row in rows}

    async def load_settled(self, symbols: Sequence[str], *, edition: str) -> SettledSessions:
        """Return which sessions are settled; what was found missing in another edition of the providers is not."""
        query = sa.text(
            """
            SELECT symbol, checked_first, checked_through FROM instruments
            WHERE symbol = ANY(CAST(:symbols AS text[])) AND checked_edition = :edition
            """
        )
        rows = await self._connection.execute(query, {"symbols": list(symbols), "edition": edition})
        known = {row.symbol: (row.checked_first, row.checked_through) for row in rows}
        first, through = ([known.get(symbol, (None, None))[end] for symbol in symbols] for end in range(2))
        return SettledSessions(days_of(first), days_of(through))

    async def load_stored(self, symbols: Sequence[str], window: DateArray, settled: SettledSessions) -> BoolArray:
        """Return which sessions of the window are stored, shape (n_symbols, n_sessions).

        Where everything is settled that lies further back than the plan looks at one by one, all of it up to the
        symbol's last bar there is given as stored: the plan treats both alike, and a night need not read a year of
        keys.
        """
        query = sa.text(
            """
            SELECT symbol, symbol_id, (
                SELECT max(session) FROM bars b
                WHERE b.symbol_id = i.symbol_id AND b.session >= :first AND b.session < :recent) AS last_bar
            FROM instruments i WHERE symbol = ANY(CAST(:symbols AS text[]))
            """
        )
        recent = window[-min(SILENT_SESSIONS, len(window))]
        parameters = {"symbols": list(symbols), "first": window[0].item(), "recent": recent.item()}
        known = {row.symbol: row for row in await self._connection.execute(query, parameters)}
        ids = np.array([known[symbol].symbol_id for symbol in symbols], dtype=np.int64)
        last_bar = days_of(known[symbol].last_bar for symbol in symbols)

        complete = (settled.among(window) | (window >= recent)).all(axis=1)
        stored: BoolArray = complete[:, None] & (window <= last_bar[:, None])  # NaT compares false
        for group, since in ((ids[complete], recent), (ids[~complete], window[0])):
            await self._mark_stored(stored, window, ids, group, since)
        return stored

    async def _mark_stored(
        self, stored: BoolArray, window: DateArray, ids: Any, group: Any, since: np.datetime64
    ) -> None:
        if not len(group):
            return
        query = (
            "SELECT symbol_id, session FROM bars "
            f"WHERE session BETWEEN '{since}' AND '{window[-1]}' AND symbol_id = ANY('{{{','.join(map(str, group))}}}')"
        )
        keys = await copy_out(self._connection, query, (("symbol_id", ">i4"), ("session", ">i4")))
        position = np.full(int(ids.max()) + 1, -1, dtype=np.int64)
        position[ids] = np.arange(len(ids))
        columns = np.searchsorted(window, _EPOCH + keys["session"].astype("timedelta64[D]"))
        stored[position[keys["symbol_id"]], columns] = True

    async def begin_revision(self, symbols: Sequence[str]) -> int:
        """Let nobody else change bars of these symbols until the end, and return the number of this change.

        Of a symbol's changes the later one has the larger number, as what is read from now on has seen the earlier one.
        """
        lock = sa.text(
            "SELECT FROM instruments WHERE symbol = ANY(CAST(:symbols AS text[])) ORDER BY symbol FOR NO KEY UPDATE"
        )
        await self._connection.execute(lock, {"symbols": list(symbols)})
        return int(await self._connection.scalar(sa.text("SELECT nextval('bar_revisions')")) or 0)

    async def load_bars(self, symbols: Sequence[str], sessions: DateArray) -> Bars:
        """Return the stored bars of the symbols on these sessions; symbols without any are blank columns."""
        return (await self.load_revised(symbols, sessions)).bars

    async def load_revised(self, symbols: Sequence[str], sessions: DateArray) -> RevisedBars:
        """Return the stored bars of the symbols on these sessions, and how new each is."""
        bars = Bars.blank(sessions, symbols)
        revised = RevisedBars(bars, np.zeros(bars.close.shape, dtype=np.int64))
        ids = await self.load_symbol_ids(symbols)
        if not ids or not len(sessions):
            return revised
        listed = ",".join(str(symbol_id) for symbol_id in ids.values())
        optional = {"open", "high", "low", "volume"}
        columns = ", ".join(f"coalesce({name}, 'NaN') AS {name}" if name in optional else name for name in BAR_FIELDS)
        query = (
            f"SELECT symbol_id, session, revision, {columns} FROM bars "
            f"WHERE symbol_id = ANY('{{{listed}}}') AND session BETWEEN '{sessions[0]}' AND '{sessions[-1]}'"
        )
        rows = await copy_out(self._connection, query, _REVISED_COLUMNS)
        column_of = np.full(max(ids.values()) + 1, -1, dtype=np.int64)
        for column, symbol in enumerate(symbols):
            if symbol in ids:
                column_of[ids[symbol]] = column
        days = _EPOCH + rows["session"].astype("timedelta64[D]")
        at = np.searchsorted(sessions, days)
        wanted = sessions[np.minimum(at, len(sessions) - 1)] == days
        cells = at[wanted], column_of[rows["symbol_id"][wanted]]
        for name in BAR_FIELDS:
            getattr(bars, name)[cells] = rows[name][wanted]
        revised.revision[cells] = rows["revision"][wanted]
        return revised

    async def store_bars(self, bars: Bars, *, source: Mapping[str, str], fetched_at: datetime, revision: int) -> int:
        """Write the bars where they are new or differ, as a revision that has begun; return how many."""
        rows, columns = np.nonzero(bars.present & np.isfinite(bars.adjusted))
        if not len(rows):
            return 0
        ids = await self.load_symbol_ids(bars.symbols)
        id_of = np.array([ids[symbol] for symbol in bars.symbols])
        source_of = np.array([source[symbol] for symbol in bars.symbols], dtype=object)
        days = bars.sessions.astype(object)
        values = {name: nullable(getattr(bars, name)[rows, columns]) for name in BAR_FIELDS}
        table: dict[str, Any] = {
            "symbol_id": id_of[columns],
            "session": days[rows],
            **values,
            "source": source_of[columns],
        }
        table |= {"fetched_at": [fetched_at] * len(rows), "revision": [revision] * len(rows)}
        # When it was fetched is rewritten only with the numbers, or with who gave them: one provider a history.
        compare = (*BAR_FIELDS, "source")
        return await upsert(self._connection, "bars", table, key=("symbol_id", "session"), replacing=Replacing(compare))

    async def store_settled(
        self, symbols: Sequence[str], settled: SettledSessions, unavailable: Mapping[str, Unavailable], *, edition: str
    ) -> None:
        """Remember which sessions are settled, and why a symbol has no bars."""
        statement = sa.text(
            """
            UPDATE instruments i SET checked_first = c.first, checked_through = c.through,
                checked_edition = :edition, unavailable_reason = c.reason, unavailable_detail = c.detail
            FROM unnest(CAST(:symbols AS text[]), CAST(:firsts AS date[]), CAST(:throughs AS date[]),
                        CAST(:reasons AS text[]), CAST(:details AS text[]))
                AS c (symbol, first, through, reason, detail)
            WHERE i.symbol = c.symbol
            """
        )
        why = [unavailable.get(symbol) for symbol in symbols]
        parameters = {
            "edition": edition,
            "symbols": list(symbols),
            "firsts": settled.first.astype(object).tolist(),
            "throughs": settled.through.astype(object).tolist(),
            "reasons": [None if entry is None else entry.reason.value for entry in why],
            "details": [None if entry is None else entry.detail for entry in why],
        }
        await self._connection.execute(statement, parameters)

    async def load_sources(
        self, symbols: Sequence[str], *, first: date = date.min, last: date = date.max
    ) -> dict[str, str]:
        """Return the provider of each symbol's newest bar on [first, last]."""
        query = sa.text(
            """
            SELECT symbol, b.source FROM instruments i, LATERAL (
                SELECT source FROM bars WHERE bars.symbol_id = i.symbol_id AND session BETWEEN :first AND :last
                ORDER BY session DESC LIMIT 1) b
            WHERE symbol = ANY(CAST(:symbols AS text[]))
            """
        )
        rows = await self._connection.execute(query, {"symbols": list(symbols), "first": first, "last": last})
        return {row.symbol: row.source for row in rows}

    async def find_extent(self, symbols: Sequence[str]) -> tuple[date, date] | None:
        """Return the first and the last session of which any of the symbols has a bar, also one that does not count.

        None where none has.
        """
        query = sa.text(
            """
            SELECT min(session) AS first, max(session) AS last FROM (
                SELECT symbol_id, session FROM bars UNION ALL SELECT symbol_id, session FROM delivered_bars) b
            JOIN instruments USING (symbol_id)
            WHERE symbol = ANY(CAST(:symbols AS text[])) HAVING count(*) > 0
            """
        )
        row = (await self._connection.execute(query, {"symbols": list(symbols)})).one_or_none()
        return None if row is None else (row.first, row.last)

    async def load_unavailable(self, symbols: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return (reason, detail) of the symbols that no provider had bars of when last asked."""
        query = sa.text(
            """
            SELECT symbol, unavailable_reason, unavailable_detail FROM instruments
            WHERE symbol = ANY(CAST(:symbols AS text[])) AND unavailable_reason IS NOT NULL
            """
        )
        rows = await self._connection.execute(query, {"symbols": list(symbols)})
        return {row.symbol: (row.unavailable_reason, row.unavailable_detail) for row in rows}

    async def load_inferred_splits(self, symbols: Sequence[str]) -> frozenset[tuple[str, date]]:
        """Return the symbols and sessions of the splits that nobody gave and that are used."""
        query = sa.text(
            """
            SELECT f.symbol, f.day FROM findings f JOIN instruments i USING (symbol)
            JOIN bars b ON b.symbol_id = i.symbol_id AND b.session = f.day
            WHERE f.rule = :rule AND f.symbol = ANY(CAST(:symbols AS text[])) AND b.split <> 1
            """
        )
        rows = await self._connection.execute(query, {"symbols": list(symbols), "rule": Rule.INFERRED_SPLIT.value})
        return frozenset((row.symbol, row.day) for row in rows)

    async def store_findings(self, findings: Sequence[Finding], *, run_id: UUID) -> None:
        """Keep what was wrong; a repetition is kept once."""
        if not findings:
            return
        statement = sa.text(
            """
            INSERT INTO findings (provider, rule, symbol, day, file, line, detail, value, run_id)
            SELECT *, :run_id FROM unnest(CAST(:providers AS text[]), CAST(:rules AS text[]), CAST(:symbols AS text[]),
                CAST(:days AS date[]), CAST(:files AS text[]), CAST(:lines AS integer[]), CAST(:details AS text[]),
                CAST(:values AS double precision[]))
            ON CONFLICT DO NOTHING
            """
        )
        parameters: dict[str, Any] = {
            "run_id": run_id,
            "providers": [finding.provider for finding in findings],
            "rules": [finding.rule.value for finding in findings],
            "symbols": [finding.symbol for finding in findings],
            "days": [finding.day for finding in findings],
            "files": [finding.file for finding in findings],
            "lines": [finding.line for finding in findings],
            "details": [finding.detail for finding in findings],
            "values": [finding.value for finding in findings],
        }
        await self._connection.execute(statement, parameters)

    async def list_findings(self, only: FindingFilter, *, after: int, limit: int) -> list[FindingRow]:
        """Return the findings that a filter lets through, in the order in which they were made."""
        query = sa.text(
            f"""
            SELECT {", ".join(FindingRow._fields)} FROM findings f, LATERAL (
                SELECT (SELECT r.decision FROM rulings r
                        WHERE r.symbol = f.symbol AND r.session = f.day AND r.rule = f.rule AND r.value = f.value
                        ORDER BY r.ruling_id DESC LIMIT 1) AS decision) r
            WHERE finding_id > :after AND (CAST(:symbol AS text) IS NULL OR symbol = :symbol)
              AND (CAST(:rule AS text) IS NULL OR rule = :rule)
              AND (CAST(:run_id AS uuid) IS NULL OR run_id = :run_id)
              AND (NOT :undecided OR rule = ANY(CAST(:decided AS text[])) AND decision IS NULL)
            ORDER BY finding_id LIMIT :limit
            """
        )
        decided = [rule.value for rule in DECIDED]
        parameters = {**asdict(only), "decided": decided, "after": after, "limit": limit}
        return [FindingRow._make(row) for row in await self._connection.execute(query, parameters)]

    async def count_findings(self, run_id: UUID) -> list[FindingCount]:
        """Return how many findings a run made first, by rule, the most first."""
        query = sa.text(
            "SELECT rule, count(*), count(DISTINCT symbol) FROM findings WHERE run_id = :run_id "
            "GROUP BY rule ORDER BY count(*) DESC, rule"
        )
        return [FindingCount._make(row) for row in await self._connection.execute(query, {"run_id": run_id})]

    async def list_bars(self, symbol: str, *, first: date, last: date, limit: int) -> list[BarRow]:
        """Return a symbol's bars, oldest first."""
        query = sa.text(
            f"""
            SELECT {", ".join(BarRow._fields)} FROM bars JOIN instruments USING (symbol_id)
            WHERE symbol = :symbol AND session BETWEEN :first AND :last ORDER BY session LIMIT :limit
            """
        )
        parameters = {"symbol": symbol, "first": first, "last": last, "limit": limit}
        return [BarRow._make(row) for row in await self._connection.execute(query, parameters)]

    async def list_coverage(self, *, after: str, limit: int) -> list[CoverageRow]:
        """Return per watched symbol how many bars there are and why there may be none."""
        query = sa.text(
            f"""
            SELECT {", ".join(CoverageRow._fields)}
            FROM instruments i, LATERAL (
                SELECT count(*) AS bars, min(session) AS first_session, max(session) AS last_session
                FROM bars WHERE bars.symbol_id = i.symbol_id) b
            WHERE symbol > :after ORDER BY symbol LIMIT :limit
            """
        )
        rows = await self._connection.execute(query, {"after": after, "limit": limit})
        return [CoverageRow._make(row) for row in rows]
