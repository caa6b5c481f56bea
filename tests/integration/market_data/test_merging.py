"""What vendors know of a company, put together fact by fact within one call, and asked for again by its own age."""

from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.providers.fmp import FmpProvider
from services.market_data.providers.provider import Provider
from services.market_data.providers.yahooquery import YahooqueryProvider
from services.market_data.settings import Access
from shared.profile import FACTS
from tests.integration.market_data.conftest import NOW, World
from tests.integration.market_data.test_runs import LAST
from tests.unit.market_data.providers.vendors import fmp_server, yahooquery_server

KEY = "canary-0d1e"


@pytest.fixture
async def vendors(httpserver: HTTPServer) -> AsyncIterator[dict[str, Provider]]:
    fmp_server.serve(httpserver, key=KEY)
    yahooquery_server.serve(httpserver)
    url = httpserver.url_for("")
    fmp = FmpProvider(Access(url, SecretStr(KEY)))
    yahooquery = YahooqueryProvider(Access(url, SecretStr(""), cookies_url=f"{url}/cookies"))
    yield {"fmp": fmp, "yahooquery": yahooquery}
    await fmp.close()
    await yahooquery.close()


def asked(server: HTTPServer, symbol: str, paths: Iterable[str]) -> list[int]:
    """Return how often a symbol was asked for at each of these paths."""
    requests = [request for request, _ in server.log]
    own = [each.path for each in requests if symbol in each.path or symbol in str(each.args.get("symbol"))]
    own += [each.path for each in requests if symbol in str(each.args.get("symbols")).split(",")]
    return [sum(path in each for each in own) for path in paths]


async def test_every_fact_is_there_after_one_call_each_from_the_first_vendor_that_has_it(
    world: World, vendors: dict[str, Provider]
) -> None:
    world.providers[:] = [vendors["fmp"], vendors["yahooquery"]]  # type: ignore[list-item]

    announced = await world.run("KO5", last=LAST)

    told = await world.get("/profiles/KO5")
    profile, source = told["profile"], {fact: of["source"] for fact, of in told["origins"].items()}
    assert [fact for fact in FACTS if profile[fact] is None] == []
    by_fmp = {fact for fact in FACTS if source[fact] == "fmp"}
    assert {"name", "sector", "market_cap", "beta", "week_52_low"} <= by_fmp
    assert {source[fact] for fact in set(FACTS) - by_fmp} == {"yahooquery"}
    assert {"pe_ratio", "target_mean_price", "next_earnings_date", "fiscal_year_end"} <= set(FACTS) - by_fmp
    assert {of["fetched_at"][:10] for of in told["origins"].values()} == {str(NOW.date())}
    (said,) = [each for event in announced.profiles for each in event.profiles if each.symbol == "KO5"]
    assert (said.market_cap, said.shares_outstanding) == (123_000_000_000, 1_000_000_000)


async def test_each_part_of_a_profile_is_asked_for_again_by_its_own_age(
    world: World, vendors: dict[str, Provider], httpserver: HTTPServer
) -> None:
    world.providers[:] = [vendors["yahooquery"], vendors["fmp"]]  # type: ignore[list-item]
    counts = []

    for days in (0, 1, 6, 7, 8):
        world.now = NOW + timedelta(days=days)
        await world.run("KO6", last=LAST)
        counts.append(asked(httpserver, "KO6", ("/v7/finance/quote", "/v10/finance/quoteSummary", "/stable/profile")))

    assert counts == [[1, 1, 0], [2, 1, 0], [3, 1, 0], [4, 2, 0], [5, 2, 0]], "and nobody for what nothing lacks"


async def test_vendor_that_does_not_have_what_a_profile_lacks_is_not_asked_for_it_again_each_time(
    world: World, vendors: dict[str, Provider], httpserver: HTTPServer
) -> None:
    world.providers[:] = [vendors["fmp"], vendors["yahooquery"]]  # type: ignore[list-item]
    yahooquery_server.COMPANIES.pop("BRK-B")
    try:
        await world.run("BRK.B", last=LAST)
        said = [each for each in await world.items("/attempts/BRK.B") if each["kind"] == "profiles"]
        absent = await world.items("/absences", symbol="BRK.B")
        world.now = NOW + timedelta(hours=19)
        await world.run("BRK.B", last=LAST)
    finally:
        yahooquery_server.COMPANIES["BRK-B"] = "Mill & Loom Corp."

    assert [(each["provider"], each["outcome"]) for each in said] == [("yahooquery", "absent")]
    assert [(each["vendor"], each["lacking"]) for each in absent if each["kind"] == "profiles"] == [
        ("yahooquery", "unknown")
    ]
    assert (await world.get("/profiles/BRK.B"))["profile"]["name"] == "Mill & Loom Corp."
