"""The SQL of statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.refresh import Asked
from services.market_data.core.statements import CompletedStatement, Period
from shared.db.bulk import append_revisions
from shared.fundamentals import ITEMS

TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {"income": "income_statements", "balance": "balance_sheets", "cash_flow": "cash_flow_statements"}
)
_KEY: Final = ("symbol", "frequency", "period_end")


@dataclass(frozen=True, slots=True)
class LastAsked:
    """When the statements of a symbol were last asked for, and the next earnings as its profile has them now."""

    asked: Asked | None
    earnings: date | None


@dataclass(frozen=True, slots=True)
class StatementSlice:
    """Which periods of one statement to list."""

    symbol: str
    statement: str
    frequency: str
    first: date
    last: date
    known_at: datetime | None
    limit: int


class StatementRow(NamedTuple):
    """A revision of a period of a statement; its items by name."""

    period_end: date
    revision: int
    known_at: datetime
    published_on: date | None
    counts_from: date
    currency: str | None
    fiscal_year: int | None
    fiscal_quarter: int | None
    derived: list[str]
    source: str
    fetched_at: datetime
    digest: bytes
    items: Mapping[str, float | None]


*_STATEMENT_COLUMNS, _ = StatementRow._fields


class FundamentalsRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def load_last_asked(self, symbols: Sequence[str]) -> dict[str, LastAsked]:
        """Return of each watched symbol when its statements were last asked for."""
        query = sa.text(
            """
            SELECT symbol, fundamentals_fetched_at AS fetched_at, fundamentals_edition AS edition,
                   fundamentals_earnings AS earnings_then, next_earnings_date
            FROM instruments LEFT JOIN profiles USING (symbol) WHERE symbol = ANY(CAST(:symbols AS text[]))
            """
        )
        rows = await self._connection.execute(query, {"symbols": list(symbols)})
        return {row.symbol: LastAsked(_asked(row), row.next_earnings_date) for row in rows}

    async def store_last_asked(self, symbols: Sequence[str], *, edition: str, at: datetime) -> None:
        """Remember that the statements of these symbols were asked for, and the next earnings as known now."""
        statement = sa.text(
            """
            UPDATE instruments SET fundamentals_fetched_at = :at, fundamentals_edition = :edition,
                fundamentals_earnings = (SELECT next_earnings_date FROM profiles p WHERE p.symbol = instruments.symbol)
            WHERE symbol = ANY(CAST(:symbols AS text[]))
            """
        )
        if symbols:
            await self._connection.execute(statement, {"symbols": list(symbols), "edition": edition, "at": at})

    async def load_digests(self, symbols: Sequence[str]) -> dict[Period, bytes]:
        """Return the digest of the newest revision of every stored statement of these symbols."""
        branches = (
            f"""
            (SELECT DISTINCT ON (symbol, frequency, period_end) '{statement}' AS statement, symbol, frequency,
                    period_end, digest
             FROM {table} WHERE symbol = ANY(CAST(:symbols AS text[]))
             ORDER BY symbol, frequency, period_end, revision DESC)
            """
            for statement, table in TABLES.items()
        )
        if not symbols:
            return {}
        rows = await self._connection.execute(sa.text(" UNION ALL ".join(branches)), {"symbols": list(symbols)})
        return {Period(row.symbol, row.statement, row.frequency, row.period_end): row.digest for row in rows}

    async def append_statements(
        self, statements: Sequence[CompletedStatement], *, source: Mapping[str, str], fetched_at: datetime, run_id: UUID
    ) -> dict[Period, int]:
        """Write each statement as the next revision of its period, where it differs; return the revisions written."""
        revisions: dict[Period, int] = {}
        for kind, table in TABLES.items():
            rows = [each for each in statements if each.given.period.statement == kind]
            if not rows:
                continue
            columns = _columns(kind, rows)
            columns["source"] = [source[symbol] for symbol in columns["symbol"]]
            columns["fetched_at"] = [fetched_at] * len(rows)
            columns["run_id"] = [run_id] * len(rows)
            await append_revisions(self._connection, table, columns, key=_KEY)
            revisions |= await self._load_revisions(kind, columns["symbol"], run_id)
        return revisions

    async def _load_revisions(self, kind: str, symbols: Sequence[str], run_id: UUID) -> dict[Period, int]:
        query = sa.text(
            f"""
            SELECT symbol, frequency, period_end, revision FROM {TABLES[kind]}
            WHERE symbol = ANY(CAST(:symbols AS text[])) AND run_id = :run_id
            """
        )
        rows = await self._connection.execute(query, {"symbols": sorted(set(symbols)), "run_id": run_id})
        return {Period(row.symbol, kind, row.frequency, row.period_end): row.revision for row in rows}

    async def list_statements(self, wanted: StatementSlice) -> list[StatementRow]:
        """Return the newest revision (known at that time) of each period of one statement, oldest first."""
        items, size = ITEMS[wanted.statement], len(_STATEMENT_COLUMNS)
        query = sa.text(
            f"""
            SELECT DISTINCT ON (period_end) {", ".join((*_STATEMENT_COLUMNS, *items))}
            FROM {TABLES[wanted.statement]}
            WHERE symbol = :symbol AND frequency = :frequency AND period_end BETWEEN :first AND :last
              AND known_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
            ORDER BY period_end, revision DESC LIMIT :limit
            """
        )
        names = ("symbol", "frequency", "first", "last", "known_at", "limit")
        rows = await self._connection.execute(query, {name: getattr(wanted, name) for name in names})
        return [StatementRow._make((*row[:size], dict(zip(items, row[size:], strict=True)))) for row in rows]


def _asked(row: Any) -> Asked | None:
    return row.fetched_at and Asked(row.fetched_at.date(), row.edition, row.earnings_then)


def _columns(kind: str, rows: Sequence[CompletedStatement]) -> dict[str, list[Any]]:
    given = [each.given for each in rows]
    items = [each.items for each in rows]
    return {
        "symbol": [each.period.symbol for each in given],
        "frequency": [each.period.frequency for each in given],
        "period_end": [each.period.end for each in given],
        "digest": [each.digest for each in rows],
        "published_on": [each.published_on for each in given],
        "counts_from": [each.counts_from for each in rows],
        "currency": [each.currency for each in given],
        "fiscal_year": [each.fiscal_year for each in given],
        "fiscal_quarter": [each.fiscal_quarter for each in given],
        **{name: [known.get(name) for known in items] for name in ITEMS[kind]},
        "derived": [sorted(each.derived) for each in rows],
    }
