"""The SQL of what is known of companies: statements, and what their profiles say."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import chain
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.symbol_analytics.core.amounts import QUARTER_DAYS, QUARTERS
from services.symbol_analytics.core.fundamentals import PROFILE_FIGURES, PUBLISHED, RATIO_ITEMS, Fundamentals
from services.symbol_analytics.core.histories import Entries, FigureHistory, StatementHistory
from shared.arrays import FloatArray, TextArray, days_of
from shared.contracts.market_data import Profile, Statement
from shared.conventions import QUARTER_STALE_DAYS, YEAR_STALE_DAYS
from shared.db.bulk import Replacing, upsert

_NEWER: Final = Replacing(position="fetched_at")
_ITEMS: Final = tuple(chain.from_iterable(RATIO_ITEMS.values()))
# No older period is looked at: the first of four quarters whose last is just not stale, or a year's end.
_REACH: Final = timedelta(days=max(YEAR_STALE_DAYS, QUARTER_STALE_DAYS + (QUARTERS - 1) * QUARTER_DAYS[1]))


class FundamentalsRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_statements(self, statements: Sequence[Statement]) -> int:
        """Keep what the ratios need of the statements, every revision; return how many are new."""
        columns: dict[str, Any] = {
            name: [getattr(statement, name) for statement in statements]
            for name in (
                *("symbol", "statement", "frequency", "period_end", "revision"),
                *("published_on", "counts_from", "currency", "source"),
            )
        }
        for item in _ITEMS:
            columns[item] = [
                statement.items.get(item) if item in RATIO_ITEMS[statement.statement] else None
                for statement in statements
            ]
        key = ("symbol", "statement", "frequency", "period_end", "revision")
        return await upsert(self._connection, "statements", columns, key=key, replacing=None)

    async def store_profiles(self, profiles: Sequence[Profile]) -> None:
        """Keep the currency of the price, whether it is a fund, and the dated figures; older news change nothing."""
        await upsert(
            self._connection,
            "profiles",
            {
                "symbol": [profile.symbol for profile in profiles],
                "currency": [profile.currency for profile in profiles],
                "is_fund": [bool(profile.is_etf or profile.is_fund) for profile in profiles],
                "fetched_at": [profile.fetched_at for profile in profiles],
            },
            key=("symbol",),
            replacing=_NEWER,
        )
        figures = list(_figures(profiles))
        await upsert(
            self._connection,
            "profile_figures",
            {
                "symbol": [profile.symbol for profile, _, _ in figures],
                "figure": [name for _, name, _ in figures],
                "counts_from": [day for _, _, day in figures],
                "value": [getattr(profile, name) for profile, name, _ in figures],
                "source": [profile.source for profile, _, _ in figures],
                "fetched_at": [profile.fetched_at for profile, _, _ in figures],
            },
            key=("symbol", "figure", "counts_from"),
            replacing=_NEWER,
        )

    async def load_fundamentals(self, symbols: Sequence[str], *, first: date, last: date) -> Fundamentals:
        """Return what ratios as of the sessions in [first, last] can depend on."""
        query = sa.text("SELECT symbol, currency, is_fund FROM profiles WHERE symbol = ANY(CAST(:symbols AS text[]))")
        rows = await self._connection.execute(query, {"symbols": list(symbols)})
        profiles = {row.symbol: (row.currency, row.is_fund) for row in rows}
        facts = [profiles.get(symbol, (None, False)) for symbol in symbols]
        return Fundamentals(
            statements=await self._load_statements(symbols, first=first, last=last),
            figures=await self._load_figures(symbols),
            currencies=_texts([currency for currency, _ in facts]),
            funds=np.array([is_fund for _, is_fund in facts], dtype=np.bool_),
        )

    async def _load_statements(
        self, symbols: Sequence[str], *, first: date, last: date
    ) -> dict[tuple[str, str], StatementHistory]:
        query = sa.text(
            f"""
            SELECT symbol, statement, frequency, period_end, revision, published_on, counts_from, currency,
                {", ".join(_ITEMS)}
            FROM statements
            WHERE symbol = ANY(CAST(:symbols AS text[])) AND period_end >= :oldest AND counts_from <= :last
            """
        )
        parameters = {"symbols": list(symbols), "oldest": first - _REACH, "last": last}
        groups: dict[tuple[str, str], list[Any]] = {published: [] for published in PUBLISHED}
        for row in await self._connection.execute(query, parameters):
            groups[row.statement, row.frequency].append(row)
        return {
            (statement, frequency): StatementHistory(
                entries=_entries(symbols, rows, day="period_end"),
                published_on=days_of(row.published_on for row in rows),
                currencies=_texts([row.currency for row in rows]),
                items={item: _numbers([getattr(row, item) for row in rows]) for item in RATIO_ITEMS[statement]},
            )
            for (statement, frequency), rows in groups.items()
        }

    async def _load_figures(self, symbols: Sequence[str]) -> dict[str, FigureHistory]:
        query = sa.text(
            """
            SELECT symbol, figure, counts_from, value, source, 1 AS revision FROM profile_figures
            WHERE symbol = ANY(CAST(:symbols AS text[]))
            """
        )
        groups: dict[str, list[Any]] = {figure: [] for figure in PROFILE_FIGURES}
        for row in await self._connection.execute(query, {"symbols": list(symbols)}):
            groups[row.figure].append(row)
        return {
            figure: FigureHistory(
                entries=_entries(symbols, rows, day="counts_from"),
                values=_numbers([row.value for row in rows]),
                sources=_texts([row.source for row in rows]),
            )
            for figure, rows in groups.items()
        }


def _figures(profiles: Iterable[Profile]) -> Iterable[tuple[Profile, str, date]]:
    for profile in profiles:
        days = {"beta": profile.beta_as_of, **profile.counts_from}
        for name in PROFILE_FIGURES:
            if getattr(profile, name) is not None:
                # Nobody knew an undated figure before it was fetched.
                yield profile, name, days.get(name) or profile.fetched_at.date()


def _entries(symbols: Sequence[str], rows: Sequence[Any], *, day: str) -> Entries:
    index = {symbol: position for position, symbol in enumerate(symbols)}
    return Entries(
        n_symbols=len(symbols),
        symbol=np.array([index[row.symbol] for row in rows], dtype=np.int64),
        day=days_of(getattr(row, day) for row in rows),
        counts_from=days_of(row.counts_from for row in rows),
        revision=np.array([row.revision for row in rows], dtype=np.int64),
    )


def _numbers(values: Sequence[float | None]) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _texts(texts: Sequence[str | None]) -> TextArray:
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array
