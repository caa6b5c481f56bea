"""The SQL of symbol_analytics: factor estimates and daily metrics."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.symbol_analytics.core.columns import RATIOS, VALUE_COLUMNS
from shared.contracts.run import Run
from shared.conventions import FACTORS, PROVIDER_BETA
from shared.db.alike import Alike
from shared.db.bulk import Columns, append_revisions
from shared.factor_set import FactorSet
from shared.selection import Slice

_ORIGINS = [f"{ratio}_{part}" for ratio in RATIOS for part in ("basis", "period_end")]


class FactorRow(NamedTuple):
    """The beta to a factor, or why there is none, under a definition of the factors; the evidence by its fields."""

    symbol: str
    as_of: date
    revision: int
    known_at: datetime
    digest: bytes
    code_version: int
    definition: dict[str, str | None]
    factor: str
    beta: float | None
    reason: str | None
    detail: str | None
    evidence: Mapping[str, Any]


class LoadingsRow(NamedTuple):
    """The joint regression of a symbol on the risk factors, or why there is none; arrays in their order."""

    symbol: str
    as_of: date
    loadings: list[float | None]
    std_errors: list[float | None]
    r_squared: float | None
    specific_volatility: float | None
    reason: str | None
    detail: str | None
    n_observations: int
    first_session: date | None
    last_session: date | None


class MetricsRow(NamedTuple):
    """The metrics of a symbol and the betas beside them, or why there are none, by column."""

    symbol: str
    as_of: date
    revision: int
    known_at: datetime
    digest: bytes
    code_version: int
    unavailable: dict[str, tuple[str, str]]
    n_observations: list[int] | None
    first_sessions: list[date | None] | None
    values: Mapping[str, float | None]
    origins: Mapping[str, str | date | None]


class SymbolRow(NamedTuple):
    """An analysed symbol and its newest session."""

    symbol: str
    last_as_of: date


# What is said of each factor, and the array it stands in.
EVIDENCE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "method": "methods",
        "capped": "capped",
        "r_squared": "r_squared",
        "std_error": "std_errors",
        "p_value": "p_values",
        "n_observations": "n_observations",
        "first_session": "first_sessions",
        "last_session": "last_sessions",
    }
)
_ESTIMATE_COLUMNS = (*FactorRow._fields[:7], "betas", "reasons", "details", *EVIDENCE.values(), "source", "source_date")
# What is the same for most symbols of a session.
_ESTIMATES: Final = Alike(
    table="symbol_estimates",
    within="as_of",
    columns=("methods", "reasons", "details", "capped", "n_observations", "first_sessions", "last_sessions"),
)
_METRICS: Final = Alike(
    table="symbol_metrics", within="as_of", columns=("unavailable", "n_observations", "first_sessions")
)
# Factors are listed by name.
_PLACES: Final = sorted(range(len(FACTORS)), key=FACTORS.__getitem__)
*_METRIC_COLUMNS, _, _ = MetricsRow._fields


class SymbolAnalyticsRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_factor_set(self, factor_set: FactorSet) -> int:
        """Return the number of the factor set, giving it one if it is new."""
        definition = factor_set.model_dump_json()
        insert = sa.text(
            "INSERT INTO factor_sets (definition) VALUES (CAST(:definition AS jsonb)) ON CONFLICT DO NOTHING"
        )
        select = sa.text("SELECT factor_set_id FROM factor_sets WHERE definition = CAST(:definition AS jsonb)")
        number: int | None = await self._connection.scalar(select, {"definition": definition})
        if number is None:
            await self._connection.execute(insert, {"definition": definition})
            number = await self._connection.scalar(select, {"definition": definition})
        if number is None:
            raise LookupError(f"factor set must be stored, was {definition}")
        return number

    async def store_estimates(self, columns: Columns) -> int:
        """Write one row per session and symbol, where the inputs have changed; return how many."""
        return await self._append(_ESTIMATES, columns)

    async def store_loadings(self, columns: Columns) -> int:
        """Write one row per session and symbol, where the inputs have changed; return how many."""
        return await append_revisions(self._connection, "symbol_loadings", columns, key=("as_of", "symbol"))

    async def store_metrics(self, columns: Columns) -> int:
        """Write one row per session and symbol, where the inputs have changed; return how many."""
        return await self._append(_METRICS, columns)

    async def _append(self, alike: Alike, columns: Columns) -> int:
        # Shards of other symbols are stored at the same time and do not wait for this one.
        shortened = await alike.shorten(self._connection, columns, apart=" ".join(columns["symbol"][:1]))
        return await append_revisions(self._connection, alike.table, shortened, key=("as_of", "symbol"))

    async def load_revisions(self, symbols: Sequence[str], as_ofs: Sequence[date]) -> tuple[tuple[int, ...], ...]:
        """Return the newest revision of each symbol's factors, by as_of and symbol in the order given, 0 for none."""
        query = sa.text(
            """
            SELECT as_of, symbol, max(revision) AS newest FROM symbol_estimates
            WHERE as_of = ANY(:as_ofs) AND symbol = ANY(CAST(:symbols AS text[])) GROUP BY as_of, symbol
            """
        )
        rows = await self._connection.execute(query, {"as_ofs": list(as_ofs), "symbols": list(symbols)})
        known = {(row.as_of, row.symbol): row.newest for row in rows}
        return tuple(tuple(known.get((as_of, symbol), 0) for symbol in symbols) for as_of in as_ofs)

    async def list_factors(self, wanted: Slice[str]) -> list[FactorRow]:
        """Return the newest revision (known at that time) of each estimate, by as_of, symbol and factor."""
        query = sa.text(
            f"""
            SELECT DISTINCT ON (as_of, symbol) {", ".join(_ESTIMATE_COLUMNS)}
            FROM symbol_estimates_whole JOIN factor_sets USING (factor_set_id)
            WHERE as_of BETWEEN :first AND :last AND (as_of, symbol) > (:after_as_of, :after_subject)
              AND (CAST(:subjects AS text[]) IS NULL OR symbol = ANY(CAST(:subjects AS text[])))
              AND known_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
            ORDER BY as_of, symbol, revision DESC LIMIT :limit
            """
        ).columns(definition=JSONB)
        rows = await self._connection.execute(query, wanted.parameters())
        return [_factor(row, place) for row in rows for place in _PLACES]

    async def list_loadings(self, wanted: Slice[str]) -> list[LoadingsRow]:
        """Return the newest revision (known at that time) of each row of loadings, by as_of and symbol."""
        query = sa.text(
            f"""
            SELECT DISTINCT ON (as_of, symbol) {", ".join(LoadingsRow._fields)} FROM symbol_loadings
            WHERE as_of BETWEEN :first AND :last AND (as_of, symbol) > (:after_as_of, :after_subject)
              AND (CAST(:subjects AS text[]) IS NULL OR symbol = ANY(CAST(:subjects AS text[])))
              AND known_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
            ORDER BY as_of, symbol, revision DESC LIMIT :limit
            """
        )
        return [LoadingsRow._make(row) for row in await self._connection.execute(query, wanted.parameters())]

    async def list_metrics(self, wanted: Slice[str]) -> list[MetricsRow]:
        """Return the newest revision (known at that time) of each row of metrics, by as_of and symbol."""
        query = sa.text(
            f"""
            SELECT DISTINCT ON (as_of, symbol) {", ".join((*_METRIC_COLUMNS, *VALUE_COLUMNS, *_ORIGINS))}
            FROM symbol_metrics_whole
            WHERE as_of BETWEEN :first AND :last AND (as_of, symbol) > (:after_as_of, :after_subject)
              AND (CAST(:subjects AS text[]) IS NULL OR symbol = ANY(CAST(:subjects AS text[])))
              AND known_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
            ORDER BY as_of, symbol, revision DESC LIMIT :limit
            """
        ).columns(unavailable=JSONB)
        rows = await self._connection.execute(query, wanted.parameters())
        return [_metrics(row) for row in rows]

    async def list_touched(
        self, corrected: Sequence[tuple[str | None, date, date]], *, run: Run, beside: Sequence[str]
    ) -> list[tuple[list[date], list[str]]]:
        """Return the as_ofs in these (symbol or None for all, first, last) that have results, with their symbols.

        Symbols with the same as_ofs come together. The run's own sessions are left out for the symbols `beside`.
        """
        query = sa.text(
            """
            WITH corrected AS (
                SELECT * FROM unnest(CAST(:symbols AS text[]), CAST(:firsts AS date[]), CAST(:lasts AS date[]))
                    AS c (symbol, first, last)
            ), touched AS (
                SELECT m.symbol, m.as_of FROM symbol_metrics m JOIN corrected c ON m.symbol = c.symbol
                WHERE m.as_of BETWEEN c.first AND c.last
                UNION
                SELECT m.symbol, m.as_of FROM symbol_metrics m JOIN corrected c ON m.as_of BETWEEN c.first AND c.last
                WHERE c.symbol IS NULL
            ), by_symbol AS (
                SELECT symbol, array_agg(as_of ORDER BY as_of) AS as_ofs FROM touched
                WHERE NOT (as_of BETWEEN :first AND :last AND symbol = ANY(CAST(:beside AS text[])))
                GROUP BY symbol
            )
            SELECT as_ofs, array_agg(symbol ORDER BY symbol) AS symbols FROM by_symbol GROUP BY as_ofs ORDER BY as_ofs
            """
        )
        symbols, firsts, lasts = zip(*corrected, strict=True)
        parameters = {
            "symbols": list(symbols),
            "firsts": list(firsts),
            "lasts": list(lasts),
            "first": run.first_session,
            "last": run.last_session,
            "beside": list(beside),
        }
        rows = await self._connection.execute(query, parameters)
        return [(row.as_ofs, row.symbols) for row in rows]

    async def find_last_session(self, symbol: str, *, until: date, known_at: datetime | None) -> date | None:
        """Return the newest as_of of a symbol's metrics that is not after a date, as known then."""
        query = sa.text(
            """
            SELECT max(as_of) FROM symbol_metrics WHERE symbol = :symbol AND as_of <= :until
            AND known_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
            """
        )
        parameters = {"symbol": symbol, "until": until, "known_at": known_at}
        session: date | None = await self._connection.scalar(query, parameters)
        return session

    async def list_symbols(self, *, after: str, limit: int) -> list[SymbolRow]:
        """Return the analysed symbols with their newest session."""
        query = sa.text(
            """
            SELECT symbol, max(as_of) AS last_as_of FROM symbol_metrics WHERE symbol > :after
            GROUP BY symbol ORDER BY symbol LIMIT :limit
            """
        )
        rows = await self._connection.execute(query, {"after": after, "limit": limit})
        return [SymbolRow._make(row) for row in rows]


def _factor(row: sa.Row[Any], place: int) -> FactorRow:
    evidence = {name: getattr(row, column)[place] for name, column in EVIDENCE.items()}
    is_provided = FACTORS[place] == PROVIDER_BETA
    origin = (row.source, row.source_date) if is_provided else (None, None)
    evidence |= dict(zip(("source", "source_date"), origin, strict=True))
    found = (FACTORS[place], row.betas[place], row.reasons[place], row.details[place], evidence)
    return FactorRow._make((*row[:7], *found))


def _metrics(row: sa.Row[Any]) -> MetricsRow:
    first, after = len(_METRIC_COLUMNS), len(_METRIC_COLUMNS) + len(VALUE_COLUMNS)
    values = dict(zip(VALUE_COLUMNS, row[first:after], strict=True))
    return MetricsRow._make((*row[:first], values, dict(zip(_ORIGINS, row[after:], strict=True))))
