"""The SQL of bars that are judged: as they were delivered, what was decided about them, and what came of it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.bars import BAR_FIELDS, Bars
from services.market_data.core.findings import JUDGED, Finding, Rule
from services.market_data.core.judging import (
    Decision,
    Judged,
    Place,
    Ruling,
    Rulings,
    derived_symbols,
    given_symbols,
)
from services.market_data.core.window import sessions_array
from services.market_data.storage.repository import MarketDataRepository
from shared.calendar import shift_session
from shared.contracts.market_data import HeldClose
from shared.conventions import SILENT_SESSIONS
from shared.db.bulk import upsert
from shared.unavailable import nullable

_FIELDS: Final = ", ".join(BAR_FIELDS)
_WAITING: Final = "SELECT symbol FROM rulings WHERE applied_by IS NULL AND symbol = ANY(CAST(:symbols AS text[]))"


class RulingRow(NamedTuple):
    """A decision, who made it and why, and the run that applied it."""

    ruling_id: int
    symbol: str
    session: date
    rule: str
    decision: str
    value: float
    decided_by: str
    why: str
    decided_at: datetime
    applied_by: UUID | None


class JudgementRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._bars = MarketDataRepository(connection)

    async def load_neighbours(self, symbols: Sequence[str], *, first: date, last: date) -> Bars:
        """Return the stored bars right before and right after some sessions, at most one a symbol on either side."""
        query = sa.text(
            f"""
            SELECT symbol, b.* FROM instruments i, LATERAL (
                (SELECT session, {_FIELDS} FROM bars
                 WHERE bars.symbol_id = i.symbol_id AND session < :first ORDER BY session DESC LIMIT 1)
                UNION ALL
                (SELECT session, {_FIELDS} FROM bars
                 WHERE bars.symbol_id = i.symbol_id AND session > :last ORDER BY session LIMIT 1)) b
            WHERE symbol = ANY(CAST(:symbols AS text[]))
            """
        )
        parameters = {"symbols": list(symbols), "first": first, "last": last}
        return _as_bars((await self._connection.execute(query, parameters)).all())

    async def load_singled_out(self, symbols: Sequence[str]) -> frozenset[str]:
        """Return the symbols of which something was judged before: their bars are judged together."""
        query = sa.text(
            f"""
            SELECT symbol FROM instruments i WHERE symbol = ANY(CAST(:symbols AS text[]))
              AND EXISTS (SELECT 1 FROM delivered_bars d WHERE d.symbol_id = i.symbol_id)
            UNION {_WAITING}
            """
        )
        return frozenset((await self._connection.execute(query, {"symbols": list(symbols)})).scalars())

    async def load_held(self, symbols: Sequence[str]) -> list[HeldClose]:
        """Return the closes that are held back, by symbol and session."""
        query = sa.text(
            """
            SELECT DISTINCT symbol, day AS session, rule FROM findings f
            WHERE symbol = ANY(CAST(:symbols AS text[])) AND rule = :rule AND NOT EXISTS (
                SELECT 1 FROM bars JOIN instruments i USING (symbol_id) WHERE i.symbol = f.symbol AND session = f.day)
            ORDER BY symbol, session
            """
        )
        parameters = {"symbols": list(symbols), "rule": Rule.UNEXPLAINED_JUMP.value}
        rows = await self._connection.execute(query, parameters)
        return [HeldClose(symbol=row.symbol, session=row.session, rule=row.rule) for row in rows]

    async def load_waiting(self, symbols: Sequence[str]) -> frozenset[str]:
        """Return the symbols about whose bars something was decided that no run has applied."""
        return frozenset((await self._connection.execute(sa.text(_WAITING), {"symbols": list(symbols)})).scalars())

    async def load_delivered(self, symbols: Sequence[str], *, beside: Bars) -> Bars:
        """Return the whole histories of symbols as they were delivered, to be judged beside what was fetched of them.

        Adjusted closes are NaN where they are ours: as of the bars beside them, else as they were when last fetched.
        """
        query = sa.text(
            f"""
            SELECT symbol, session, {_FIELDS} FROM delivered_bars JOIN instruments USING (symbol_id)
            WHERE symbol = ANY(CAST(:symbols AS text[]))
            """
        )
        altered = _as_bars((await self._connection.execute(query, {"symbols": list(symbols)})).all())
        extent = await self._bars.find_extent(symbols)
        stored = Bars.blank(sessions_array(*extent) if extent else altered.sessions[:0], symbols)
        if extent:
            stored = await self._bars.load_bars(symbols, stored.sessions)
        whole = stored.merge(altered)
        ours = await self.load_derived(symbols)
        ours = (ours | set(derived_symbols(beside))) - set(given_symbols(beside))
        whole.adjusted[:, [symbol in ours for symbol in whole.symbols]] = np.nan
        return whole

    async def load_rulings(self, symbols: Sequence[str]) -> Rulings:
        """Return the newest decision about each place."""
        query = sa.text(
            """
            SELECT DISTINCT ON (symbol, session, rule) symbol, session, rule, decision, value FROM rulings
            WHERE symbol = ANY(CAST(:symbols AS text[])) ORDER BY symbol, session, rule, ruling_id DESC
            """
        )
        rows = await self._connection.execute(query, {"symbols": list(symbols)})
        return {
            Place(row.symbol, row.session, Rule(row.rule)): Ruling(Decision(row.decision), row.value) for row in rows
        }

    async def list_rulings(self, symbol: str | None, *, after: int, limit: int) -> list[RulingRow]:
        """Return the decisions, about one symbol where it is given, in the order in which they were made."""
        query = sa.text(
            f"""
            SELECT {", ".join(RulingRow._fields)} FROM rulings
            WHERE ruling_id > :after AND (CAST(:symbol AS text) IS NULL OR symbol = :symbol)
            ORDER BY ruling_id LIMIT :limit
            """
        )
        rows = await self._connection.execute(query, {"symbol": symbol, "after": after, "limit": limit})
        return [RulingRow._make(row) for row in rows]

    async def append_rulings(self, rulings: Rulings, *, decided_by: str, why: str) -> None:
        """Keep decisions; the newest of a place counts."""
        statement = sa.text(
            """
            INSERT INTO rulings (symbol, session, rule, decision, value, decided_by, why)
            VALUES (:symbol, :session, :rule, :decision, :value, :decided_by, :why)
            """
        )
        by = {"decided_by": decided_by, "why": why}
        rows: list[dict[str, Any]] = [
            {**place._asdict(), "decision": ruling.decision, "value": ruling.value, **by}
            for place, ruling in rulings.items()
        ]
        if rows:
            await self._connection.execute(statement, rows)

    async def store_judged(self, judged: Judged, *, source: Mapping[str, str], run_id: UUID) -> None:
        """Keep what is said of whole histories in place of what was said; the bars that count are stored apart."""
        symbols = judged.delivered.symbols
        ids = await self._bars.load_symbol_ids(symbols)
        await self._delete("bars", _keys(judged, judged.held, ids))
        await self._connection.execute(
            sa.text("DELETE FROM delivered_bars WHERE symbol_id = ANY(CAST(:ids AS integer[]))"),
            {"ids": list(ids.values())},
        )
        keys = _keys(judged, judged.altered, ids)
        values = {name: nullable(getattr(judged.delivered, name)[judged.altered]) for name in BAR_FIELDS}
        await upsert(self._connection, "delivered_bars", {**keys, **values}, key=("symbol_id", "session"))
        findings = [
            Finding(v.symbol, v.session, v.rule, v.detail, source[v.symbol], value=v.value) for v in judged.verdicts
        ]
        await self._forget_findings(symbols, findings)
        await self._bars.store_findings(findings, run_id=run_id)
        applied = sa.text(
            "UPDATE rulings SET applied_by = :run_id "
            "WHERE applied_by IS NULL AND symbol = ANY(CAST(:symbols AS text[]))"
        )
        await self._connection.execute(applied, {"run_id": run_id, "symbols": list(symbols)})

    async def store_silent(self, symbols: Sequence[str], *, last_session: date, run_id: UUID) -> None:
        """Keep a finding about each symbol that has had no bar for long, until it has one again."""
        query = sa.text(
            """
            SELECT symbol, b.session, b.close, b.source FROM instruments i, LATERAL (
                SELECT session, close, source FROM bars WHERE bars.symbol_id = i.symbol_id
                ORDER BY session DESC LIMIT 1) b
            WHERE symbol = ANY(CAST(:symbols AS text[])) AND b.session < :recent
            """
        )
        recent = shift_session(last_session, 1 - SILENT_SESSIONS)
        rows = (await self._connection.execute(query, {"symbols": list(symbols), "recent": recent})).all()
        detail = f"no bar for {SILENT_SESSIONS} sessions after it"
        found = [Finding(r.symbol, r.session, Rule.DELISTED, detail, r.source, value=r.close) for r in rows]
        traded_again = sa.text(
            """
            DELETE FROM findings f WHERE symbol = ANY(CAST(:symbols AS text[])) AND rule = :rule
              AND EXISTS (SELECT 1 FROM bars JOIN instruments i USING (symbol_id)
                          WHERE i.symbol = f.symbol AND session > f.day)
            """
        )
        await self._connection.execute(traded_again, {"symbols": list(symbols), "rule": Rule.DELISTED.value})
        await self._bars.store_findings(found, run_id=run_id)

    async def find_finding(self, place: Place) -> float | None:
        """Return the close or the split that a finding is about, None where there is no such finding."""
        query = sa.text("SELECT value FROM findings WHERE symbol = :symbol AND day = :session AND rule = :rule")
        found: float | None = await self._connection.scalar(query, place._asdict())
        return found

    async def load_derived(self, symbols: Sequence[str]) -> frozenset[str]:
        """Return the symbols whose stored adjusted closes are ours."""
        query = sa.text("SELECT symbol FROM instruments WHERE derived AND symbol = ANY(CAST(:symbols AS text[]))")
        return frozenset((await self._connection.execute(query, {"symbols": list(symbols)})).scalars())

    async def store_derived(self, delivered: Bars) -> None:
        """Remember of which symbols the adjusted closes are ours."""
        statement = sa.text(
            """
            UPDATE instruments i SET derived = d.derived
            FROM unnest(CAST(:symbols AS text[]), CAST(:derived AS boolean[])) AS d (symbol, derived)
            WHERE i.symbol = d.symbol AND i.derived <> d.derived
            """
        )
        ours, theirs = derived_symbols(delivered), given_symbols(delivered)
        parameters = {"symbols": [*ours, *theirs], "derived": [True] * len(ours) + [False] * len(theirs)}
        await self._connection.execute(statement, parameters)

    async def _delete(self, table: str, keys: Mapping[str, Any]) -> None:
        statement = sa.text(
            f"""
            DELETE FROM {table} t USING unnest(CAST(:ids AS integer[]), CAST(:sessions AS date[])) AS k (id, session)
            WHERE t.symbol_id = k.id AND t.session = k.session
            """
        )
        parameters = {"ids": keys["symbol_id"].tolist(), "sessions": keys["session"].tolist()}
        await self._connection.execute(statement, parameters)

    async def _forget_findings(self, symbols: Sequence[str], findings: Collection[Finding]) -> None:
        statement = sa.text(
            """
            DELETE FROM findings WHERE symbol = ANY(CAST(:symbols AS text[])) AND rule = ANY(CAST(:judged AS text[]))
              AND (symbol, day, rule, detail, provider) NOT IN (
                SELECT * FROM unnest(CAST(:found AS text[]), CAST(:days AS date[]), CAST(:rules AS text[]),
                                     CAST(:details AS text[]), CAST(:providers AS text[])))
            """
        )
        parameters: dict[str, Any] = {
            "symbols": list(symbols),
            "judged": [rule.value for rule in JUDGED],
            "found": [finding.symbol for finding in findings],
            "days": [finding.day for finding in findings],
            "rules": [finding.rule.value for finding in findings],
            "details": [finding.detail for finding in findings],
            "providers": [finding.provider for finding in findings],
        }
        await self._connection.execute(statement, parameters)


def _as_bars(rows: Sequence[Any]) -> Bars:
    sessions = np.array(sorted({row.session for row in rows}), dtype="datetime64[D]")
    bars = Bars.blank(sessions, sorted({row.symbol for row in rows}))
    column = {symbol: number for number, symbol in enumerate(bars.symbols)}
    for row in rows:
        place = np.searchsorted(sessions, np.datetime64(row.session, "D")), column[row.symbol]
        for name in BAR_FIELDS:
            value = getattr(row, name)
            getattr(bars, name)[place] = np.nan if value is None else value
    return bars


def _keys(judged: Judged, where: Any, ids: Mapping[str, int]) -> dict[str, Any]:
    rows, columns = np.nonzero(where)
    id_of = np.array([ids[symbol] for symbol in judged.delivered.symbols], dtype=np.int64)
    return {"symbol_id": id_of[columns], "session": judged.delivered.sessions[rows].astype(object)}
