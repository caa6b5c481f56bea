"""The SQL of symbol_analytics: profiles, factor estimates, daily metrics."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.symbol_analytics.core.estimates import FactorEstimates
from services.symbol_analytics.core.factors import FACTOR_METHODS
from services.symbol_analytics.core.measures import METRICS
from services.symbol_analytics.core.provider_betas import ProviderBetas
from shared.contracts.market_data import Profile
from shared.contracts.run import Run
from shared.conventions import FACTORS, PROVIDER_BETA
from shared.db.bulk import Columns, append_revisions, upsert
from shared.factor_set import FactorSet
from shared.unavailable import IntArray, Quantities, ReasonArray, Unavailable, nullable


@dataclass(frozen=True, slots=True)
class Computed:
    """What a result was computed for and from."""

    symbols: tuple[str, ...]
    as_of: date
    digests: tuple[bytes, ...]
    run_id: UUID


@dataclass(frozen=True, slots=True)
class Slice:
    """Which results to read, as they were known at an instant, and where the page begins: after a session and symbol.

    `limit` counts symbols.
    """

    symbols: tuple[str, ...] | None
    first: date
    last: date
    known_at: datetime | None
    limit: int
    after_as_of: date = date.min
    after_symbol: str = ""

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the queries."""
        return {**asdict(self), "symbols": None if self.symbols is None else list(self.symbols)}


class SymbolAnalyticsRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_profiles(self, profiles: Sequence[Profile]) -> None:
        """Keep what the factors need of the profiles."""
        columns: Columns = {
            "symbol": [profile.symbol for profile in profiles],
            "beta": [profile.beta for profile in profiles],
            "beta_as_of": [profile.beta_as_of for profile in profiles],
            "source": [profile.source for profile in profiles],
        }
        await upsert(self._connection, "profiles", columns, key=("symbol",))

    async def load_provider_betas(self, symbols: Sequence[str]) -> ProviderBetas:
        """Return the providers' betas, of when they are and whose."""
        query = sa.text(
            """
            SELECT symbol, beta, beta_as_of, source FROM profiles
            WHERE symbol = ANY(CAST(:symbols AS text[])) AND beta IS NOT NULL
            """
        )
        rows = await self._connection.execute(query, {"symbols": list(symbols)})
        known = {row.symbol: (row.beta, row.beta_as_of, row.source) for row in rows}
        found = [known.get(symbol, (np.nan, None, None)) for symbol in symbols]
        return ProviderBetas(
            np.array([beta for beta, _, _ in found], dtype=np.float64),
            np.array([day for _, day, _ in found], dtype="datetime64[D]"),
            tuple(source for _, _, source in found),
        )

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

    async def store_factors(
        self,
        computed: Computed,
        estimates: FactorEstimates,
        sessions: Sequence[date],
        *,
        provided: ProviderBetas,
        factor_set_id: int,
    ) -> int:
        """Write one row per symbol and factor, where the inputs have changed; return how many."""
        symbols, factors = len(computed.symbols), len(FACTORS)
        reasons, details = _reasons(estimates.betas.unavailable)
        nowhere = (None, None)
        origins = [
            origin if factor == PROVIDER_BETA else nowhere for origin in provided.origins() for factor in FACTORS
        ]
        columns: Columns = {
            "symbol": [symbol for symbol in computed.symbols for _ in FACTORS],
            "as_of": [computed.as_of] * (symbols * factors),
            "factor": list(FACTORS) * symbols,
            "digest": [digest for digest in computed.digests for _ in FACTORS],
            "run_id": [computed.run_id] * (symbols * factors),
            "factor_set_id": [factor_set_id] * (symbols * factors),
            "method": [FACTOR_METHODS[factor] for factor in FACTORS] * symbols,
            "beta": nullable(estimates.betas.values.ravel()),
            "reason": reasons,
            "detail": details,
            "capped": estimates.capped.ravel(),
            "r_squared": nullable(estimates.r_squared.values.ravel()),
            "std_error": nullable(estimates.std_errors.values.ravel()),
            "p_value": nullable(estimates.p_values.values.ravel()),
            "n_observations": estimates.n_observations.ravel(),
            "first_session": _sessions(estimates.first_row, sessions),
            "last_session": _sessions(estimates.last_row, sessions),
            "source": [source for source, _ in origins],
            "source_date": [day for _, day in origins],
        }
        return await append_revisions(self._connection, "symbol_factors", columns, key=("as_of", "symbol", "factor"))

    async def store_metrics(self, computed: Computed, metrics: Quantities) -> int:
        """Write one row per symbol, where the inputs have changed; return how many."""
        columns: dict[str, Any] = {
            "symbol": list(computed.symbols),
            "as_of": [computed.as_of] * len(computed.symbols),
            "digest": list(computed.digests),
            "run_id": [computed.run_id] * len(computed.symbols),
            "unavailable": [_why(row) for row in metrics.unavailable],
        }
        columns |= {name: nullable(metrics.values[:, column]) for column, name in enumerate(METRICS)}
        return await append_revisions(self._connection, "symbol_metrics", columns, key=("as_of", "symbol"))

    async def list_factors(self, wanted: Slice) -> Sequence[Any]:
        """Return the newest revision (known at that time) of each estimate, by as_of, symbol and factor."""
        query = sa.text(
            """
            SELECT DISTINCT ON (as_of, symbol, factor)
                as_of, symbol, factor, revision, known_at, method, beta, reason, detail, capped, r_squared, std_error,
                p_value, n_observations, first_session, last_session, source, source_date, definition AS factor_set
            FROM symbol_factors JOIN factor_sets USING (factor_set_id)
            WHERE as_of BETWEEN :first AND :last AND (as_of, symbol) > (:after_as_of, :after_symbol)
              AND (CAST(:symbols AS text[]) IS NULL OR symbol = ANY(CAST(:symbols AS text[])))
              AND known_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
            ORDER BY as_of, symbol, factor, revision DESC LIMIT :limit
            """
        ).columns(factor_set=JSONB)
        # Pages end at whole symbols: a symbol has one row per factor.
        parameters = wanted.parameters() | {"limit": wanted.limit * len(FACTORS)}
        return (await self._connection.execute(query, parameters)).all()

    async def list_metrics(self, wanted: Slice) -> Sequence[Any]:
        """Return the newest revision (known at that time) of each row of metrics, by as_of and symbol."""
        query = sa.text(
            f"""
            SELECT DISTINCT ON (as_of, symbol) as_of, symbol, revision, known_at, unavailable, {", ".join(METRICS)}
            FROM symbol_metrics
            WHERE as_of BETWEEN :first AND :last AND (as_of, symbol) > (:after_as_of, :after_symbol)
              AND (CAST(:symbols AS text[]) IS NULL OR symbol = ANY(CAST(:symbols AS text[])))
              AND known_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
            ORDER BY as_of, symbol, revision DESC LIMIT :limit
            """
        ).columns(unavailable=JSONB)
        return (await self._connection.execute(query, wanted.parameters())).all()

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

    async def find_last_session(self, symbol: str, *, until: date) -> date | None:
        """Return the newest as_of of a symbol's factors that is not after a date."""
        query = sa.text("SELECT max(as_of) FROM symbol_metrics WHERE symbol = :symbol AND as_of <= :until")
        session: date | None = await self._connection.scalar(query, {"symbol": symbol, "until": until})
        return session

    async def list_symbols(self, *, after: str, limit: int) -> Sequence[Any]:
        """Return the analysed symbols with their newest session."""
        query = sa.text(
            """
            SELECT symbol, max(as_of) AS last_as_of FROM symbol_metrics WHERE symbol > :after
            GROUP BY symbol ORDER BY symbol LIMIT :limit
            """
        )
        return (await self._connection.execute(query, {"after": after, "limit": limit})).all()


def _reasons(unavailable: ReasonArray) -> tuple[list[str | None], list[str | None]]:
    flat: list[Unavailable | None] = unavailable.ravel().tolist()
    reasons = [None if why is None else why.reason.value for why in flat]
    return reasons, [None if why is None else why.detail for why in flat]


def _why(row: ReasonArray) -> str:
    reasons = {name: [why.reason.value, why.detail] for name, why in zip(METRICS, row, strict=True) if why is not None}
    return json.dumps(reasons)


def _sessions(rows: IntArray, sessions: Sequence[date]) -> list[date | None]:
    return [sessions[row] if row >= 0 else None for row in rows.ravel().tolist()]
