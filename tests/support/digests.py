"""Digests of everything that the services have computed, comparable across databases."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Final

import asyncpg

# Rows as JSON, without what differs from one database to another: instants, runs, numbers and ids given at random.
_WITHOUT: Final = "- 'known_at' - 'run_id' - 'fetched_at' - 'factor_set_id' - 'position_id' - 'symbol_id'"
# Which change of its symbol's bars a bar came with is counted by its database.
_BAR_WITHOUT: Final = f"{_WITHOUT} - 'revision'"
_NAMED: Final = "jsonb_build_object('symbol', symbol)"
_ENTRY: Final = "jsonb_build_object('entered', to_jsonb(p) - 'position_id' - 'added_at')"

_NEWEST: Final = """
    SELECT CASE WHEN r ? 'revision' THEN r || '{"revision": 1}' ELSE r END FROM (
        SELECT r, rank() OVER (PARTITION BY r -> 'portfolio_id', r -> 'symbol', r -> 'as_of'
            ORDER BY CAST(r ->> 'revision' AS integer) DESC) AS place
        FROM (%s) AS q (r)
    ) AS ranked WHERE place = 1
"""

RESULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bars": f"SELECT to_jsonb(t) {_BAR_WITHOUT} || {_NAMED} FROM market_data.bars t JOIN market_data.instruments i "
        "USING (symbol_id)",
        "symbol_estimates": f"SELECT to_jsonb(t) {_WITHOUT} || definition "
        "FROM symbol_analytics.symbol_estimates_whole t "
        "JOIN symbol_analytics.factor_sets USING (factor_set_id)",
        "symbol_metrics": f"SELECT to_jsonb(t) {_WITHOUT} FROM symbol_analytics.symbol_metrics_whole t",
        "snapshots": f"SELECT to_jsonb(t) {_WITHOUT} - 'digest' - 'prices_seen_below' FROM portfolio.snapshots t",
        "position_values": f"SELECT to_jsonb(t) {_WITHOUT} || {_ENTRY} FROM portfolio.valued_positions t "
        "JOIN portfolio.positions p USING (position_id)",
        "assessments": f"SELECT to_jsonb(t) {_WITHOUT} FROM risk.assessments t",
        "portfolio_factors": f"SELECT to_jsonb(t) {_WITHOUT} FROM risk.portfolio_factors t",
        "portfolio_measures": f"SELECT to_jsonb(t) {_WITHOUT} FROM risk.portfolio_measures_whole t",
        "portfolio_sectors": f"SELECT to_jsonb(t) {_WITHOUT} FROM risk.portfolio_sectors t",
        "prices of symbol_analytics": f"SELECT to_jsonb(t) {_BAR_WITHOUT} - 'written_by' || {_NAMED} "
        "FROM symbol_analytics.price_bars t JOIN symbol_analytics.price_symbols USING (symbol_id)",
        "prices of portfolio": f"SELECT to_jsonb(t) {_BAR_WITHOUT} - 'written_by' || {_NAMED} "
        "FROM portfolio.price_bars t JOIN portfolio.price_symbols USING (symbol_id)",
        "prices of risk": f"SELECT to_jsonb(t) {_BAR_WITHOUT} - 'written_by' || {_NAMED} "
        "FROM risk.price_bars t JOIN risk.price_symbols USING (symbol_id)",
    }
)


@dataclass(frozen=True, slots=True)
class Digest:
    """How many rows a table has, and the SHA-256 of all of them."""

    rows: int
    sha256: str


async def digest_results(database_url: str, *, newest: bool = False) -> dict[str, Digest]:
    """Return a digest of every result table; two databases with the same results give the same digests.

    With `newest` only of the newest revision of each result, as if it were the first.
    """
    connection = await asyncpg.connect(database_url)
    try:
        return {
            name: await _digest(connection, _NEWEST % query if newest else query) for name, query in RESULTS.items()
        }
    finally:
        await connection.close()


async def _digest(connection: asyncpg.Connection, query: str) -> Digest:
    rows = sorted(row["line"] for row in await connection.fetch(f"SELECT r::text AS line FROM ({query}) AS q (r)"))
    return Digest(len(rows), sha256("\n".join(rows).encode()).hexdigest())
