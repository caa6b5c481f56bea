"""The SQL of risk: replicas of profiles, betas and books, and the assessments."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.risk.core.assessment import Assessment, Books
from services.risk.core.sectors import Benchmark
from services.risk.storage.alike import ALIKE
from services.risk.storage.arrays import betas_of, books_of
from services.risk.storage.held_options import stored_options
from services.risk.storage.rows import (
    ActiveSectorsRow,
    ContributionsRow,
    CorrelationsRow,
    FactorRow,
    HeadRow,
    MeasuresRow,
    MovesRow,
    SectorRow,
    StressRow,
    Written,
    active_columns,
    assessment_columns,
    contribution_columns,
    correlation_columns,
    factor_columns,
    measure_columns,
    moves_columns,
    sector_columns,
    stress_columns,
)
from services.risk.storage.symbol_betas import SymbolBetas
from shared.arrays import BoolArray
from shared.contracts.market_data import Profile
from shared.contracts.portfolio import Book
from shared.contracts.risk import RiskDue
from shared.contracts.run import Run
from shared.db.binary import NumberRows
from shared.db.bulk import Columns, Replacing, append_revisions, copy_in, one_below_another, upsert
from shared.prices.held import Held, load_held
from shared.sectors import sector_name
from shared.selection import Slice
from shared.unavailable import Quantities, is_available, reason_columns

_LOAD_BOOKS = sa.text(
    """
    SELECT as_of, portfolio_id, CAST(round(equity * 100) AS bigint) AS cents, symbols, exposures,
        CAST(options AS text) AS options FROM books
    WHERE portfolio_id = ANY(CAST(:portfolio_ids AS uuid[])) AND as_of = ANY(CAST(:as_ofs AS date[]))
    ORDER BY as_of, portfolio_id
    """
)
_LIST_SESSIONS = sa.text(
    """
    SELECT DISTINCT as_of FROM books WHERE portfolio_id = ANY(CAST(:portfolio_ids AS uuid[]))
      AND as_of BETWEEN :due_first AND :due_last AND (as_of BETWEEN :first AND :last OR run_id = :run_id)
    ORDER BY as_of
    """
)
# A symbol of null stands for a proxy: whatever looks at the factors sees its prices, and that is every book.
_TOUCH_BOOKS = sa.text(
    """
    INSERT INTO touched_books (portfolio_id, as_of, run_id)
    SELECT DISTINCT portfolio_id, as_of, CAST(:run_id AS uuid)
    FROM books b JOIN unnest(CAST(:symbols AS text[]), CAST(:firsts AS date[]), CAST(:lasts AS date[]))
            AS c (symbol, first, last)
        ON as_of BETWEEN c.first AND c.last AND (c.symbol IS NULL OR c.symbol = ANY(b.symbols))
    ON CONFLICT DO NOTHING
    """
)
_TAKE_TOUCHED = sa.text(
    "DELETE FROM touched_books WHERE portfolio_id = ANY(CAST(:portfolio_ids AS uuid[])) RETURNING as_of"
)
_LOAD_BETAS = sa.text(
    "SELECT as_of, symbol, betas, reasons, details FROM betas "
    "WHERE symbol = ANY(CAST(:symbols AS text[])) AND as_of = ANY(CAST(:as_ofs AS date[]))"
)
_LOAD_SECTORS = sa.text("SELECT symbol, sector, is_etf FROM profiles WHERE symbol = ANY(CAST(:symbols AS text[]))")
# The revisions of which only the head is there yet.
_NEW_REVISIONS = sa.text(
    """
    SELECT portfolio_id, as_of, revision FROM assessments
    WHERE portfolio_id = ANY(CAST(:portfolio_ids AS uuid[])) AND as_of = ANY(CAST(:as_ofs AS date[]))
      AND NOT EXISTS (
        SELECT FROM portfolio_factors f
        WHERE (f.portfolio_id, f.as_of, f.revision)
            = (assessments.portfolio_id, assessments.as_of, assessments.revision)
      )
    """
)
_LIST = sa.text(
    f"""
    SELECT DISTINCT ON (as_of, portfolio_id) {", ".join(HeadRow._fields)} FROM assessments
    WHERE as_of BETWEEN :first AND :last AND (as_of, portfolio_id) > (:after_as_of, :after_subject)
      AND (CAST(:subjects AS uuid[]) IS NULL OR portfolio_id = ANY(CAST(:subjects AS uuid[])))
      AND known_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
    ORDER BY as_of, portfolio_id, revision DESC LIMIT :limit
    """
)
_FIND_LAST = sa.text(
    f"""
    SELECT {", ".join(HeadRow._fields)} FROM assessments
    WHERE portfolio_id = :portfolio_id AND as_of <= :until
      AND known_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity')
    ORDER BY as_of DESC, revision DESC LIMIT 1
    """
)
_FIND_REVISION = sa.text(
    f"""
    SELECT {", ".join(HeadRow._fields)} FROM assessments
    WHERE portfolio_id = :portfolio_id AND as_of = :as_of AND revision = :revision
    """
)
_ROWS_OF = """
    SELECT {columns} FROM {table} JOIN unnest(
        CAST(:portfolio_ids AS uuid[]), CAST(:as_ofs AS date[]), CAST(:revisions AS integer[])
    ) AS wanted (portfolio_id, as_of, revision) USING (portfolio_id, as_of, revision)
    ORDER BY as_of, portfolio_id{order}
"""
_FIND_BENCHMARK = sa.text(
    "SELECT as_of, sectors, weights FROM benchmarks WHERE benchmark = :name AND as_of <= :as_of "
    "ORDER BY as_of DESC LIMIT 1"
)
_FIND_MOVES = sa.text(
    f"SELECT {', '.join(MovesRow._fields)} FROM factor_moves WHERE as_of = :as_of AND digest = :digest"
)
_TABLES: Final[Mapping[type[NamedTuple], str]] = {
    FactorRow: "portfolio_factors",
    SectorRow: "portfolio_sectors",
    MeasuresRow: "portfolio_measures_whole",
    StressRow: "portfolio_stress_whole",
    CorrelationsRow: "portfolio_correlations_whole",
    ContributionsRow: "portfolio_contributions_whole",
    ActiveSectorsRow: "portfolio_active_sectors",
}
# What belongs to a new revision, and its columns.
_DETAILS: Final[Mapping[str, Callable[[Assessment, Written], Columns]]] = {
    "portfolio_factors": factor_columns,
    "portfolio_sectors": sector_columns,
    "portfolio_measures": measure_columns,
    "portfolio_active_sectors": active_columns,
    "portfolio_stress": stress_columns,
    "portfolio_correlations": correlation_columns,
    "portfolio_contributions": contribution_columns,
}
_NEWER: Final = Replacing(position="revision")
# The run of a book is the one that revised it.
_REVISED: Final = Replacing(compare=("revision", "equity", "symbols", "exposures", "options"), position="revision")
DetailRow = TypeVar("DetailRow", bound=NamedTuple)


@dataclass(frozen=True, slots=True)
class StoredAssessments:
    """Revisions of assessments and the rows that belong to them, by as_of and portfolio."""

    heads: Sequence[HeadRow]
    factors: Sequence[FactorRow]
    sectors: Sequence[SectorRow]
    measures: Sequence[MeasuresRow]


class RiskRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_profiles(self, profiles: Sequence[Profile]) -> None:
        """Keep what tells the sector of a symbol; older news change nothing."""
        columns: Columns = {
            "symbol": [profile.symbol for profile in profiles],
            "sector": [profile.sector for profile in profiles],
            "is_etf": [profile.is_etf for profile in profiles],
            "fetched_at": [profile.fetched_at for profile in profiles],
        }
        newer = Replacing(position="fetched_at")
        await upsert(self._connection, "profiles", columns, key=("symbol",), replacing=newer)

    async def store_betas(self, symbols: Sequence[str], found: SymbolBetas) -> None:
        """Keep the betas of the symbols as of a session; an older revision does not replace a newer one."""
        reasons, details = reason_columns(found.betas.unavailable)
        complete: BoolArray = np.logical_and.reduce(is_available(found.betas.unavailable), axis=1)
        columns: Columns = {
            "symbol": list(symbols),
            "as_of": [found.as_of] * len(symbols),
            "revision": found.revisions,
            "betas": NumberRows.of(found.betas.values),
            "reasons": [None if has_all else told for told, has_all in zip(reasons, complete, strict=True)],
            "details": [None if has_all else told for told, has_all in zip(details, complete, strict=True)],
        }
        await upsert(self._connection, "betas", columns, key=("symbol", "as_of"), replacing=_NEWER)

    async def store_books(self, books: Sequence[Book], *, run_id: UUID) -> None:
        """Keep the books; an older revision does not replace a newer one."""
        columns: Columns = {
            "portfolio_id": [book.portfolio_id for book in books],
            "as_of": [book.as_of for book in books],
            "revision": [book.revision for book in books],
            "run_id": [run_id] * len(books),
            "equity": [book.equity for book in books],
            "symbols": [book.symbols for book in books],
            "exposures": [book.exposures for book in books],
            "options": [stored_options(book.options) for book in books],
        }
        await upsert(self._connection, "books", columns, key=("portfolio_id", "as_of"), replacing=_REVISED)

    async def list_sessions(self, due: RiskDue) -> tuple[date, ...]:
        """Return the sessions to assess: of those that are due the run's own, and those whose books it has revised."""
        run = due.run
        wanted = {
            "portfolio_ids": list(due.portfolio_ids),
            "due_first": due.first_session or date.min,
            "due_last": due.last_session or date.max,
            "first": run.first_session,
            "last": run.last_session,
            "run_id": run.run_id,
        }
        return tuple((await self._connection.execute(_LIST_SESSIONS, wanted)).scalars())

    async def touch_books(self, corrected: Sequence[tuple[str | None, date, date]], run: Run) -> None:
        """Remember the books in these (symbol or None for all, first, last), to be assessed again."""
        symbols, firsts, lasts = zip(*corrected, strict=True)
        parameters = {
            "run_id": run.run_id,
            "symbols": list(symbols),
            "firsts": list(firsts),
            "lasts": list(lasts),
        }
        await self._connection.execute(_TOUCH_BOOKS, parameters)

    async def take_touched(self, portfolio_ids: Sequence[UUID]) -> set[date]:
        """Return the sessions on which a correction has touched a book of these, and forget them with the commit."""
        return set((await self._connection.execute(_TAKE_TOUCHED, {"portfolio_ids": list(portfolio_ids)})).scalars())

    async def load_books(self, portfolio_ids: Sequence[UUID], as_ofs: Sequence[date]) -> list[Books]:
        """Return the books as of exactly each of the sessions, of those portfolios that have one, in cents."""
        wanted = {"portfolio_ids": list(portfolio_ids), "as_ofs": list(as_ofs)}
        rows: dict[date, list[sa.Row[Any]]] = {as_of: [] for as_of in as_ofs}
        for row in await self._connection.execute(_LOAD_BOOKS, wanted):
            rows[row.as_of].append(row)
        return [books_of(as_of, of_session) for as_of, of_session in rows.items()]

    async def load_betas(self, wanted: Mapping[date, Sequence[str]]) -> dict[date, Quantities]:
        """Return betas and loadings of the symbols as of exactly each of the sessions, one statement for all of them.

        Of shape (n_symbols, n_columns) by SYMBOL_COLUMNS: what was announced before there were loadings has fewer.
        """
        symbols = sorted(set(chain.from_iterable(wanted.values())))
        found = await self._connection.execute(_LOAD_BETAS, {"symbols": symbols, "as_ofs": list(wanted)})
        rows: dict[date, dict[str, sa.Row[Any]]] = {as_of: {} for as_of in wanted}
        for row in found:
            rows[row.as_of][row.symbol] = row
        return {as_of: betas_of(as_of, named, rows[as_of]) for as_of, named in wanted.items()}

    async def load_held(self, symbols: Sequence[str], *, first: date, last: date) -> dict[str, list[Held]]:
        """Return what is held of the closes of symbols in [first, last]."""
        return await load_held(self._connection, symbols, first=first, last=last)

    async def load_sectors(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """Return the sector under which each symbol is reported."""
        rows = await self._connection.execute(_LOAD_SECTORS, {"symbols": list(symbols)})
        sectors = {row.symbol: sector_name(row.sector, is_etf=row.is_etf) for row in rows}
        unknown = sector_name(None, is_etf=None)
        return tuple(sectors.get(symbol, unknown) for symbol in symbols)

    async def store_benchmark(self, benchmark: Benchmark) -> None:
        """Keep the sector weights of a benchmark as of a day, in the place of those it had."""
        columns: Columns = {
            "benchmark": [benchmark.name],
            "as_of": [benchmark.as_of],
            "sectors": [list(benchmark.weights)],
            "weights": [list(benchmark.weights.values())],
        }
        await upsert(self._connection, "benchmarks", columns, key=("benchmark", "as_of"))

    async def find_benchmark(self, name: str, as_of: date) -> Benchmark | None:
        """Return the newest weights of a benchmark that are not after a session."""
        row = (await self._connection.execute(_FIND_BENCHMARK, {"name": name, "as_of": as_of})).one_or_none()
        return None if row is None else Benchmark(name, row.as_of, dict(zip(row.sectors, row.weights, strict=True)))

    async def store_assessments(self, assessments: Sequence[Assessment], run_id: UUID) -> int:
        """Write a new revision of each portfolio and session whose inputs have changed; return how many.

        Each of the assessments is of another session.
        """
        heads = one_below_another([assessment_columns(assessment, run_id) for assessment in assessments])
        count = await append_revisions(self._connection, "assessments", heads, key=("portfolio_id", "as_of"))
        if not count:
            return 0
        changed = await self._changed(assessments)
        for table, columns_of in _DETAILS.items():
            columns = one_below_another([columns_of(assessment, written) for assessment, written in changed])
            if table in ALIKE:
                columns = await ALIKE[table].shorten(self._connection, columns)
            await copy_in(self._connection, table, columns)
        moves = one_below_another([moves_columns(assessment) for assessment, _ in changed])
        await upsert(self._connection, "factor_moves", moves, key=("as_of", "digest"), replacing=None)
        return count

    async def _changed(self, assessments: Sequence[Assessment]) -> list[tuple[Assessment, Written]]:
        """Return the assessments of which there are new revisions, each with those."""
        wanted = {
            "portfolio_ids": sorted({one for assessment in assessments for one in assessment.books.portfolio_ids}),
            "as_ofs": [assessment.books.as_of for assessment in assessments],
        }
        revisions: dict[date, dict[UUID, int]] = {}
        for row in await self._connection.execute(_NEW_REVISIONS, wanted):
            revisions.setdefault(row.as_of, {})[row.portfolio_id] = row.revision
        return [
            (assessment, Written.of(assessment, revisions[assessment.books.as_of]))
            for assessment in assessments
            if assessment.books.as_of in revisions
        ]

    async def list_heads(self, wanted: Slice[UUID]) -> list[HeadRow]:
        """Return a page of heads, the newest revision (known at that time) of each, by as_of and portfolio."""
        return [HeadRow._make(head) for head in await self._connection.execute(_LIST, wanted.parameters())]

    async def with_rows(self, heads: Sequence[HeadRow]) -> StoredAssessments:
        """Return assessments by their heads."""
        return StoredAssessments(
            heads=heads,
            factors=await self.load_rows(heads, FactorRow, order="factor"),
            sectors=await self.load_rows(heads, SectorRow, order="sector"),
            measures=await self.load_rows(heads, MeasuresRow),
        )

    async def find_head(self, portfolio_id: UUID, *, until: date, known_at: datetime | None) -> HeadRow | None:
        """Return the head of the assessment of the newest session that is not after a date, as known at that time."""
        parameters = {"portfolio_id": portfolio_id, "until": until, "known_at": known_at}
        head = (await self._connection.execute(_FIND_LAST, parameters)).one_or_none()
        return None if head is None else HeadRow._make(head)

    async def find_revision(self, portfolio_id: UUID, as_of: date, revision: int) -> HeadRow | None:
        """Return the head of a revision of the assessment of a session."""
        parameters = {"portfolio_id": portfolio_id, "as_of": as_of, "revision": revision}
        head = (await self._connection.execute(_FIND_REVISION, parameters)).one_or_none()
        return None if head is None else HeadRow._make(head)

    async def get_moves(self, as_of: date, digest: bytes) -> MovesRow:
        """Return the factor moves of a session."""
        return MovesRow._make((await self._connection.execute(_FIND_MOVES, {"as_of": as_of, "digest": digest})).one())

    async def load_rows(
        self, heads: Sequence[HeadRow], kind: type[DetailRow], *, order: str | None = None
    ) -> list[DetailRow]:
        """Return the rows of a kind that belong to these assessments, by as_of and portfolio."""
        parameters = {
            "portfolio_ids": [head.portfolio_id for head in heads],
            "as_ofs": [head.as_of for head in heads],
            "revisions": [head.revision for head in heads],
        }
        query = _ROWS_OF.format(
            table=_TABLES[kind], columns=", ".join(kind._fields), order=f", {order}" if order else ""
        )
        return [kind._make(row) for row in await self._connection.execute(sa.text(query), parameters)]
