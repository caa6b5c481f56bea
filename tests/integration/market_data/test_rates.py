"""Interest rates of a run: asked for once, kept with their source, announced with the first part."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.providers.fred import FredProvider
from services.market_data.settings import Access
from tests.integration.market_data.conftest import NOW, World
from tests.unit.market_data.providers.vendors import fred_server

KEY = "canary-71b3"
LAST = date(2022, 12, 28)


@pytest.fixture
async def rated(world: World, httpserver: HTTPServer) -> AsyncIterator[World]:
    """A world with FRED beside its files, of which nothing is known yet."""
    async with world.service.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE rates, rate_series"))
    fred_server.serve(httpserver, key=KEY)
    fred = FredProvider(Access(httpserver.url_for(""), SecretStr(KEY)))
    world.directory.add(world.name("A"), world.market, last=LAST)
    world.directory.write()
    world.providers.append(fred)  # type: ignore[arg-type]
    yield world
    await fred.close()


async def test_run_keeps_rates_with_their_source_and_announces_those_of_three_months(rated: World) -> None:
    announced = await rated.run(rated.name("A"), last=LAST)

    (first, *others) = announced.prices
    days = {rate.day: rate.rate for rate in first.risk_free_rates}
    # Of 258 weekdays the last is 2.57 points above the first; 2022-03-17 was none.
    assert days[LAST] == pytest.approx((0.51 + 2.57) / 100)
    assert (len(days), date(2022, 3, 17) in days) == (257, False)
    assert all(part.risk_free_rates == () for part in others)
    newest = (await rated.items("/rates/DGS10", first=LAST))[-1]
    assert (newest["day"], newest["source"]) == (str(LAST), "fred")
    assert newest["rate"] == pytest.approx((1.93 + 2.57) / 100)


async def test_rates_that_are_there_are_not_asked_for_again(rated: World, httpserver: HTTPServer) -> None:
    await rated.run(rated.name("A"), last=LAST)
    asked = len(httpserver.log)

    announced = await rated.run(rated.name("A"), last=LAST)

    assert asked == 2
    assert len(httpserver.log) == asked
    assert announced.prices[0].risk_free_rates == ()


async def test_rates_that_failed_are_said_why_and_asked_for_by_the_next_run(
    rated: World, httpserver: HTTPServer
) -> None:
    httpserver.clear()
    fred_server.serve(httpserver, key="another")
    announced = await rated.run(rated.name("A"), last=LAST)
    (attempt,) = await rated.items("/attempts/DGS3MO", as_of=LAST)
    httpserver.clear()
    fred_server.serve(httpserver, key=KEY)

    again = await rated.run(rated.name("A"), last=LAST)

    assert announced.prices[0].risk_free_rates == ()
    assert (attempt["kind"], attempt["provider"], attempt["outcome"]) == ("rates", "fred", "failed")
    assert "api_key is not registered" in attempt["detail"]
    assert len(again.prices[0].risk_free_rates) == 257


async def test_rates_of_the_day_are_asked_for_again_later(rated: World, httpserver: HTTPServer) -> None:
    await rated.run(rated.name("A"), last=date(2022, 12, 27))
    rated.now = datetime(2022, 12, 29, 15, 0, tzinfo=UTC)
    assert rated.now - NOW > timedelta(hours=6)

    announced = await rated.run(rated.name("A"), last=LAST)

    days = [rate.day for rate in announced.prices[0].risk_free_rates]
    assert (days[0], days[-1]) == (date(2022, 12, 19), LAST)
