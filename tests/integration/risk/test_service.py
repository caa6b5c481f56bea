from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import sqlalchemy as sa

from services.risk.main import build
from shared.contracts.event import Event
from shared.contracts.run import Run
from shared.conventions import MARKET_BETA
from shared.db.outbox import outbox_row
from shared.service import Service, running
from tests.integration.risk.events import book, closes, factored, new_symbols, priced, profiled, valued
from tests.support.bus_log import BusLog
from tests.support.databases import ServiceDatabase, common_settings
from tests.support.eventually import eventually
from tests.support.runs import make_run
from tests.support.stack import Servers


@pytest.fixture(scope="module")
async def service(servers: Servers, topics: None, risk_database: ServiceDatabase) -> AsyncIterator[Service]:
    built = build(common_settings(servers, risk_database.admin_url))
    async with running(built):
        yield built


async def publish(service: Service, *events: Event) -> None:
    async with service.unit_of_work() as uow:
        for event in events:
            uow.post(outbox_row(event, source="test"))


async def count(service: Service, query: str, run: Run) -> int:
    async with service.unit_of_work.reading() as connection:
        return int(await connection.scalar(sa.text(query), {"run_id": run.run_id}) or 0)


async def test_events_delivered_twice_are_assessed_once(service: Service) -> None:
    run, after, portfolio_id, (symbol,) = make_run(), make_run(), uuid4(), new_symbols(1)

    def events(run: Run) -> tuple[Event, ...]:
        return (
            valued(run, book(portfolio_id, {symbol: 300_000.0})),
            factored(run, {symbol: 1.2}),
            profiled(run, {symbol: "Energy"}),
            priced(run, {symbol: closes()}),
        )

    await publish(service, *events(run), *events(run))

    assessed = "SELECT count(*) FROM outbox WHERE topic = 'portfolios.assessed' AND run_id = :run_id"
    await eventually(lambda: count(service, assessed, run))
    # Everything published before is behind a second run that has ended.
    await publish(service, *events(after))
    await eventually(lambda: count(service, assessed, after))
    assert await count(service, assessed, run) == 1
    assert await count(service, "SELECT count(*) FROM outbox WHERE topic = 'risk.due' AND run_id = :run_id", run) == 1
    async with service.unit_of_work.reading() as connection:
        query = sa.text("SELECT beta FROM portfolio_factors WHERE portfolio_id = :id AND factor = :factor")
        betas = (await connection.execute(query, {"id": portfolio_id, "factor": MARKET_BETA})).scalars().all()
    assert betas == [pytest.approx(1.8)]


async def test_part_that_cannot_be_processed_is_reported_so_that_the_run_can_end(
    service: Service, bus_log: BusLog
) -> None:
    bus_log.expect("handler failed")
    run, portfolio_id, (symbol,) = make_run(), uuid4(), new_symbols(1)
    immense = book(portfolio_id, {symbol: 1e300})

    await publish(service, valued(run, immense), factored(run, {}), profiled(run, {}), priced(run, {}))

    failed = f"""
        SELECT count(*) FROM outbox WHERE topic = 'portfolios.assessed' AND run_id = :run_id
          AND convert_from(value, 'UTF8')::jsonb -> 'failures' -> 0 ->> 'subject' = '{portfolio_id}'
    """
    await eventually(lambda: count(service, failed, run))
