"""Each way in which a vendor fails: what the run says, why a symbol has no data, and who is not asked then."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import sqlalchemy as sa
import stamina
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Response

from services.market_data.providers.tiingo import TiingoProvider
from services.market_data.settings import Access
from services.market_data.storage.vendor_ledger import VendorLedger
from shared.clock import FixedClock
from tests.integration.market_data.conftest import NOW, World
from tests.integration.market_data.test_runs import LAST

KEY = "canary-51ce"
CAPTCHA = "<!doctype html><title>Are you a robot?</title>"
HOURLY = '{"detail": "Error: You have run over your hourly request allocation."}'
MONTHLY = "You have run over your 500 symbol look up for this month."
# What is answered -> what is said of the symbol, and until when nobody asks.
TROUBLES = {
    "key": (Response('{"detail": "Invalid token."}', 401), "401: Invalid token.", "04:00:00"),
    "plan, in plain text": (Response("Restricted Endpoint: not under your plan", 402), "402: Restricted", "04:00:00"),
    "plan": (Response('{"message": "You are not entitled"}', 403), "403: You are not entitled", "04:00:00"),
    "too many, in plain text": (Response("Edge: Too Many Requests", 429), "rate limited: Edge", "04:00:00"),
    "too many, until": (Response("", 429, {"Retry-After": "1200"}), "to be asked again after 1200 s", "03:20:00"),
    "spent, under 200": (Response(HOURLY), "rate limited: Error: You have run over", "04:00:00"),
    "spent for new symbols": (Response(MONTHLY), "You have run over your 500 symbol", None),
    "captcha, under 200": (Response(CAPTCHA), "200 with a page for people where data was due", "04:00:00"),
    "out of order": (Response("bad gateway", 502), "502: bad gateway", None),
    "broken off": (Response('[{"close": 1.0}, {"clo'), "no JSON but", None),
    "no list": (Response('{"prices": []}'), "no list of rows but dict", None),
    "redirect": (Response("", 302, {"Location": "https://x.example/?k=1"}), "led to x.example", "04:00:00"),
}


@pytest.fixture(autouse=True)
def pauses_take_no_time() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
async def troubled(world: World, httpserver: HTTPServer) -> AsyncIterator[World]:
    """A world whose only provider is a vendor of which nothing is known yet."""
    async with world.service.unit_of_work() as uow:
        await uow.connection.execute(sa.text("DELETE FROM vendor_breakers"))
    vendor = TiingoProvider(Access(httpserver.url_for(""), SecretStr(KEY)))
    world.gate = VendorLedger(world.service.unit_of_work, FixedClock(NOW))
    world.providers = [vendor]  # type: ignore[list-item]
    yield world
    await vendor.close()


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_trouble_of_a_vendor_is_told_settles_nothing_and_pauses_what_would_fail_again(
    troubled: World, httpserver: HTTPServer, trouble: str
) -> None:
    answered, said, until = TROUBLES[trouble]
    httpserver.expect_request(re.compile(".*MKT/prices")).respond_with_json([])
    httpserver.expect_request(re.compile(".*")).respond_with_response(answered)
    name = troubled.name("BAD")

    announced = await troubled.run(name, last=LAST)

    (attempt,) = await troubled.items(f"/attempts/{name}", as_of=LAST)
    remarks = await VendorLedger(troubled.service.unit_of_work, FixedClock(NOW)).remarks()
    assert said in announced.failures()[name]
    assert (attempt["outcome"], said in attempt["detail"]) == ("failed", True)
    paused = [f"tiingo is not asked for bars until 2022-12-29 {until} UTC: "] if until else []
    assert [remark[: len(paused[0])] for remark in remarks if " until " in remark] == paused
    assert KEY not in attempt["detail"] + "".join(remarks) + announced.failures()[name]
