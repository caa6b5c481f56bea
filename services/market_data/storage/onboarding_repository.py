"""The SQL of onboardings: which are under way, and which wait."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.market_data import MarketDataDue

_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtext('market_data.onboardings'))")
_APPEND = sa.text("INSERT INTO onboardings (run_id, shards) VALUES (:run_id, CAST(:shards AS jsonb))")
_END = sa.text("DELETE FROM onboardings WHERE run_id = :run_id RETURNING run_id")
_BEGIN = sa.text(
    """
    UPDATE onboardings SET begun_at = clock_timestamp() WHERE run_id IN (
        SELECT run_id FROM onboardings WHERE begun_at IS NULL ORDER BY asked_at
        LIMIT greatest(0, :at_once - (
            SELECT count(*) FROM onboardings WHERE begun_at > clock_timestamp() - CAST(:longest AS interval)))
    )
    RETURNING shards
    """
).columns(sa.column("shards", JSONB))


@dataclass(frozen=True, slots=True)
class OnboardingLimits:
    """How many onboardings may be under way, and how long one may take: what is older has ended unheard."""

    at_once: int
    longest: timedelta


class OnboardingRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def append_onboarding(self, run_id: UUID, shards: Sequence[MarketDataDue]) -> None:
        """Let a run wait."""
        written = json.dumps([shard.model_dump(mode="json") for shard in shards])
        await self._connection.execute(_APPEND, {"run_id": run_id, "shards": written})

    async def end_onboarding(self, run_id: UUID) -> bool:
        """Forget a run that has ended, begun or not; tell if it was an onboarding."""
        return await self._connection.scalar(_END, {"run_id": run_id}) is not None

    async def begin_waiting(self, limits: OnboardingLimits) -> list[MarketDataDue]:
        """Begin as many of those that wait as may be, the oldest first, and return their shards."""
        await self._connection.execute(_LOCK)
        rows = await self._connection.execute(_BEGIN, {"at_once": limits.at_once, "longest": limits.longest})
        return [MarketDataDue.model_validate(shard) for row in rows for shard in row.shards]
