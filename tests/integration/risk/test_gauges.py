"""How far assessments are behind, by what risk was given."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.risk.storage.gauges import read_staleness
from shared.calendar import shift_session
from shared.clock import FixedClock, SessionClock
from shared.metrics.catalogue import BOOKS, BOOKS_BEHIND, BOOKS_STALE
from tests.integration.conftest import MakeServiceDatabase
from tests.integration.risk.conftest import Risk
from tests.integration.risk.events import book, closes, factored, new_symbols, priced, profiled, valued
from tests.support.databases import ServiceDatabase
from tests.support.runs import SESSION, make_run

# Long after the last session of these books, as if they were closed.
CLOCK = SessionClock(FixedClock(datetime.combine(shift_session(SESSION, 40), datetime.min.time(), UTC)))


@pytest.fixture(scope="module")
async def risk_database(service_database: MakeServiceDatabase) -> ServiceDatabase:
    """Give a database of its own: everything in it is counted."""
    return await service_database("risk")


async def test_book_is_stale_until_its_newest_valuation_is_assessed(risk: Risk) -> None:
    run, portfolio_id, (symbol,) = make_run(), uuid4(), new_symbols(1)
    valuation = valued(run, book(portfolio_id, {symbol: 100_000.0}))

    async def gauges() -> list[float]:
        async with risk.service.unit_of_work.reading() as connection:
            found = {each.metric: each.value for each in await read_staleness(connection, clock=CLOCK)}
            return [found[BOOKS], found[BOOKS_STALE], found[BOOKS_BEHIND]]

    await risk.deliver(valuation)
    valued_only = await gauges()
    await risk.assess(
        valuation, factored(run, {symbol: 1.2}), profiled(run, {symbol: "Energy"}), priced(run, {symbol: closes()})
    )

    # Sessions from the first one of the book to the one before the day of the clock.
    assert valued_only == [1, 1, 40]
    assert await gauges() == [1, 0, 0]
