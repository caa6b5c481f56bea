"""How far the assessments are behind at the moment of a scrape."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import SessionClock
from shared.metrics.service_metrics import Reading
from shared.metrics.staleness import staleness

# From one portfolio to the next in the index, and to the newest entry of each: histories are not read.
_NEWEST = sa.text(
    """
    WITH RECURSIVE known AS (
        (SELECT portfolio_id, as_of FROM books ORDER BY portfolio_id, as_of LIMIT 1)
        UNION ALL
        SELECT next.* FROM known, LATERAL (
            SELECT portfolio_id, as_of FROM books b WHERE b.portfolio_id > known.portfolio_id
            ORDER BY portfolio_id, as_of LIMIT 1
        ) next
    )
    SELECT
        CASE WHEN assessed.as_of >= newest.as_of THEN :last_closed ELSE coalesce(assessed.as_of, known.as_of - 1) END
            AS day,
        count(*) AS books
    FROM known
    JOIN LATERAL (
        SELECT as_of FROM books b WHERE b.portfolio_id = known.portfolio_id ORDER BY as_of DESC LIMIT 1
    ) newest ON true
    LEFT JOIN LATERAL (
        SELECT as_of FROM assessments a WHERE a.portfolio_id = known.portfolio_id ORDER BY as_of DESC LIMIT 1
    ) assessed ON true
    GROUP BY 1
    """
).bindparams(sa.bindparam("last_closed", type_=sa.Date))


async def read_staleness(connection: AsyncConnection, *, clock: SessionClock) -> Sequence[Reading]:
    """Return how many portfolios have a book, and how far their newest assessments are behind.

    One that is assessed up to its newest book is up to date: what is valued no further, as it is closed, is here too.
    """
    last_closed = clock.last_closed_session()
    books = {row.day: row.books for row in await connection.execute(_NEWEST, {"last_closed": last_closed})}
    return staleness(books, last_closed)
