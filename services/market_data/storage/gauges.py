"""What waits for a decision at the moment of a scrape."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.market_data.core.findings import Rule
from shared.metrics.catalogue import PRICES_HELD
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


async def read_held(connection: AsyncConnection) -> Sequence[Reading]:
    """Return how many closes are held about which nobody has decided."""
    return (Reading(PRICES_HELD, await connection.scalar(_HELD, {"rule": Rule.UNEXPLAINED_JUMP.value}) or 0),)
