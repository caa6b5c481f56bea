"""The SQL of profiles."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import RowMapping
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.profile_merge import KnownProfile, Origin
from services.market_data.core.refresh import AskedProfile
from services.market_data.core.tiers import Tier, Tiers
from shared.db.bulk import upsert
from shared.profile import FACTS, ProfileFacts

# Where it stands when a tier was last asked for.
_ASKED: Final[Mapping[Tier, str]] = MappingProxyType(
    {
        Tier.VALUATIONS: "profile_fetched_at",
        Tier.ESTIMATES: "estimates_fetched_at",
        Tier.DESCRIPTION: "description_fetched_at",
    }
)


class ProfileRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_profiles(self, profiles: Sequence[KnownProfile]) -> None:
        """Write these profiles in place of what is stored of their symbols."""
        columns: dict[str, list[Any]] = {
            name: [getattr(known.facts, name) for known in profiles] for name in ("symbol", *FACTS)
        }
        columns["source"] = [known.source for known in profiles]
        columns["fetched_at"] = [known.fetched_at for known in profiles]
        columns["origins"] = [_encoded(known.origins) for known in profiles]
        await upsert(self._connection, "profiles", columns, key=("symbol",))

    async def load_profiles(self, symbols: Sequence[str]) -> dict[str, KnownProfile]:
        """Return what is known of the symbols that have a profile."""
        query = sa.text(
            f"""
            SELECT symbol, {", ".join(FACTS)}, source, fetched_at, origins FROM profiles
            WHERE symbol = ANY(CAST(:symbols AS text[]))
            """
        ).columns(origins=JSONB)
        rows = await self._connection.execute(query, {"symbols": list(symbols)})
        return {
            row.symbol: KnownProfile(
                ProfileFacts.model_validate(row._mapping), row.source, row.fetched_at, _decoded(row.origins)
            )
            for row in rows
        }

    async def load_last_asked(self, symbols: Sequence[str]) -> dict[str, AskedProfile]:
        """Return when each tier of the profiles was last asked for; symbols whose never was are missing."""
        query = sa.text(
            f"""
            SELECT symbol, profile_edition, next_earnings_date, {", ".join(_ASKED.values())}
            FROM instruments LEFT JOIN profiles USING (symbol)
            WHERE symbol = ANY(CAST(:symbols AS text[])) AND profile_fetched_at IS NOT NULL
            """
        )
        rows = await self._connection.execute(query, {"symbols": list(symbols)})
        return {row.symbol: _asked(row._mapping) for row in rows}

    async def store_last_asked(self, due: Mapping[str, Tiers], *, edition: str, at: datetime) -> None:
        """Remember that these tiers of the profiles of these symbols were asked for."""
        for tiers in set(due.values()):
            columns = ", ".join(f"{_ASKED[tier]} = :at" for tier in sorted(tiers))
            statement = sa.text(
                f"""
                UPDATE instruments SET {columns}, profile_edition = :edition
                WHERE symbol = ANY(CAST(:symbols AS text[]))
                """
            )
            symbols = [symbol for symbol, of in due.items() if of == tiers]
            await self._connection.execute(statement, {"symbols": symbols, "edition": edition, "at": at})


def _asked(row: RowMapping) -> AskedProfile:
    on = {tier: row[column].date() for tier, column in _ASKED.items() if row[column] is not None}
    return AskedProfile(on, row["profile_edition"], row["next_earnings_date"])


def _encoded(origins: Mapping[str, Origin]) -> str:
    entries = {
        fact: [origin.source, origin.fetched_at.isoformat(), origin.dated and origin.dated.isoformat()]
        for fact, origin in origins.items()
    }
    return json.dumps(entries)


def _decoded(origins: Mapping[str, tuple[str, str, str | None]]) -> dict[str, Origin]:
    return {
        fact: Origin(source, datetime.fromisoformat(fetched_at), date.fromisoformat(dated) if dated else None)
        for fact, (source, fetched_at, dated) in origins.items()
    }
