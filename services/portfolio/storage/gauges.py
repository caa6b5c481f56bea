"""How far the valuations are behind at the moment of a scrape."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import SessionClock
from shared.metrics.service_metrics import Reading
from shared.metrics.staleness import staleness

# One step into an index for each portfolio that goes on, however long its history is.
_NEWEST = sa.text(
    """
    SELECT coalesce(newest.as_of, opened_on - 1) AS day, count(*) AS books FROM portfolios p
    LEFT JOIN LATERAL (
        SELECT as_of FROM snapshots s WHERE s.portfolio_id = p.portfolio_id ORDER BY as_of DESC LIMIT 1
    ) newest ON true
    WHERE closed_on IS NULL GROUP BY 1
    """
)


async def read_staleness(connection: AsyncConnection, *, clock: SessionClock) -> Sequence[Reading]:
    """Return how many portfolios there are, and how far their newest snapshots are behind."""
    books = {row.day: row.books for row in await connection.execute(_NEWEST)}
    return staleness(books, clock.last_closed_session())
