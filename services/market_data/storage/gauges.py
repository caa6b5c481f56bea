"""What waits for a decision, and how the vendors stand, at the moment of a scrape."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.breaking import State
from services.market_data.core.findings import Rule
from services.market_data.core.plans import PACED_S, Plan, origin_of
from services.market_data.storage.vendor_repository import VendorRepository
from shared.clock import Clock
from shared.metrics.catalogue import PRICES_HELD, VENDOR_PAUSED, VENDOR_USED
from shared.metrics.service_metrics import Reading

_HELD = sa.text(
    """
    SELECT count(DISTINCT (symbol, day)) FROM findings f
    WHERE rule = :rule
      AND NOT EXISTS (
          SELECT 1 FROM bars JOIN instruments i USING (symbol_id) WHERE i.symbol = f.symbol AND session = f.day)
      AND NOT EXISTS (SELECT 1 FROM rulings r WHERE (r.symbol, r.session, r.rule) = (f.symbol, f.day, f.rule))
    """
)


async def read_vendors(
    connection: AsyncConnection, *, plans: Mapping[str, Plan], kinds: Sequence[str], clock: Clock
) -> Sequence[Reading]:
    """Return which vendors of the chain are not asked for a kind, and what is used up of their plans."""
    repository, now = VendorRepository(connection), clock.now()
    breakers, windows = await repository.list_breakers(), await repository.list_windows()
    broken = {(row.vendor, row.kind) for row in breakers if row.breaker.state(now) is State.OPEN}
    begun = {(row.vendor, row.seconds): row.requests for row in windows if row.ends_at > now}
    paused = [Reading(VENDOR_PAUSED, (name, kind) in broken, (name, kind)) for name in plans for kind in kinds]
    used = [
        Reading(VENDOR_USED, begun.get((origin_of(name), seconds), 0) / window.requests, (name, str(seconds)))
        for name, plan in plans.items()
        for window in plan.windows
        if (seconds := round(window.seconds)) > PACED_S
    ]
    return (*paused, *used)


async def read_held(connection: AsyncConnection) -> Sequence[Reading]:
    """Return how many closes are held about which nobody has decided."""
    return (Reading(PRICES_HELD, await connection.scalar(_HELD, {"rule": Rule.UNEXPLAINED_JUMP.value}) or 0),)
