"""The SQL of absences: what each vendor is known not to have of a symbol, by kind."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.absences import Absence
from services.market_data.core.attempts import Lacking

_OF = "(CAST(:symbol AS text) IS NULL OR symbol = :symbol) AND (CAST(:vendor AS text) IS NULL OR vendor = :vendor)"
# kind -> what says of an instrument that nobody has asked yet
_UNASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bars": "checked_first = NULL, checked_through = NULL, checked_edition = NULL",
        "profiles": "profile_fetched_at = NULL",
        "statements": "fundamentals_fetched_at = NULL",
    }
)


class AbsenceRow(NamedTuple):
    """What a vendor has said of a symbol that it does not have."""

    symbol: str
    kind: str
    vendor: str
    lacking: Lacking
    times: int
    since: datetime
    retry_at: datetime | None
    detail: str

    @property
    def absence(self) -> Absence:
        """The absence itself."""
        return Absence(Lacking(self.lacking), self.times, self.since, self.retry_at, self.detail)


class AbsenceCount(NamedTuple):
    """Of how many symbols a vendor is not asked for a kind."""

    vendor: str
    kind: str
    symbols: int


@dataclass(frozen=True, slots=True)
class AbsenceFilter:
    """Which absences; None: whatever it is."""

    symbol: str | None = None
    vendor: str | None = None


class AbsenceRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def load_absences(self, kind: str, symbols: Sequence[str]) -> dict[tuple[str, str], Absence]:
        """Return what is known, by symbol and vendor."""
        query = sa.text(
            f"""
            SELECT {", ".join(AbsenceRow._fields)} FROM absences
            WHERE kind = :kind AND symbol = ANY(CAST(:symbols AS text[]))
            """
        )
        rows = await self._connection.execute(query, {"kind": kind, "symbols": list(symbols)})
        known = [AbsenceRow._make(row) for row in rows]
        return {(row.symbol, row.vendor): row.absence for row in known}

    async def store_absences(self, kind: str, absences: Mapping[tuple[str, str], Absence]) -> None:
        """Remember what vendors do not have."""
        statement = sa.text(
            """
            INSERT INTO absences (symbol, kind, vendor, lacking, times, since, retry_at, detail)
            VALUES (:symbol, :kind, :vendor, :lacking, :times, :since, :retry_at, :detail)
            ON CONFLICT (symbol, kind, vendor) DO UPDATE SET lacking = excluded.lacking, times = excluded.times,
                since = excluded.since, retry_at = excluded.retry_at, detail = excluded.detail
            """
        )
        rows: list[dict[str, Any]] = [
            {"symbol": symbol, "kind": kind, "vendor": vendor, **asdict(absence)}
            for (symbol, vendor), absence in sorted(absences.items())
        ]
        if rows:
            await self._connection.execute(statement, rows)

    async def delete_absences(self, kind: str, found: Sequence[tuple[str, str]]) -> None:
        """Forget that vendors did not have symbols that they have now given: symbol, vendor."""
        statement = sa.text(
            """
            DELETE FROM absences USING unnest(CAST(:symbols AS text[]), CAST(:vendors AS text[])) AS f (s, v)
            WHERE kind = :kind AND symbol = s AND vendor = v
            """
        )
        values = {"kind": kind, "symbols": [s for s, _ in found], "vendors": [vendor for _, vendor in found]}
        await self._connection.execute(statement, values)

    async def load_last_bars(self, symbols: Sequence[str]) -> dict[str, date]:
        """Return the session of the last bar of each of these symbols that has any."""
        query = sa.text(
            """
            SELECT symbol, last FROM instruments i, LATERAL (
                SELECT max(session) AS last FROM bars b WHERE b.symbol_id = i.symbol_id) b
            WHERE symbol = ANY(CAST(:symbols AS text[])) AND last IS NOT NULL
            """
        )
        rows = await self._connection.execute(query, {"symbols": list(symbols)})
        return {row.symbol: row.last for row in rows}

    async def list_absences(self, only: AbsenceFilter, *, after: tuple[str, str, str], limit: int) -> list[AbsenceRow]:
        """Return what is known, by symbol, kind and vendor."""
        query = sa.text(
            f"""
            SELECT {", ".join(AbsenceRow._fields)} FROM absences WHERE {_OF}
              AND (symbol, kind, vendor) > (:after_symbol, :after_kind, :after_vendor)
            ORDER BY symbol, kind, vendor LIMIT :limit
            """
        )
        places = dict(zip(("after_symbol", "after_kind", "after_vendor"), after, strict=True))
        rows = await self._connection.execute(query, {**asdict(only), **places, "limit": limit})
        return [AbsenceRow._make(row) for row in rows]

    async def count_waiting(self, now: datetime) -> list[AbsenceCount]:
        """Return of how many symbols each vendor is not asked at that time."""
        query = sa.text(
            """
            SELECT vendor, kind, count(*) AS symbols FROM absences
            WHERE retry_at IS NULL OR retry_at > :now GROUP BY vendor, kind ORDER BY vendor, kind
            """
        )
        return [AbsenceCount._make(row) for row in await self._connection.execute(query, {"now": now})]

    async def forget_absences(self, only: AbsenceFilter) -> list[AbsenceRow]:
        """Forget absences, and that the providers were asked for these symbols; return them."""
        statement = sa.text(f"DELETE FROM absences WHERE {_OF} RETURNING {', '.join(AbsenceRow._fields)}")
        rows = [AbsenceRow._make(row) for row in await self._connection.execute(statement, asdict(only))]
        for kind in sorted({row.kind for row in rows} & _UNASKED.keys()):
            unask = f"UPDATE instruments SET {_UNASKED[kind]} WHERE symbol = ANY(CAST(:symbols AS text[]))"
            symbols = sorted({row.symbol for row in rows if row.kind == kind})
            await self._connection.execute(sa.text(unask), {"symbols": symbols})
        return sorted(rows)
