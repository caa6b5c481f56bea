"""Each way in which a vendor fails: what the run says, why a symbol has no data, and who is not asked then."""

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
import stamina
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from services.market_data.providers import http_session
from services.market_data.settings import Access
from services.market_data.storage.vendor_ledger import VendorLedger
from shared.clock import FixedClock
from tests.integration.market_data.conftest import NOW, World
from tests.integration.market_data.test_runs import LAST
from tests.integration.market_data.troubles import KEY, TROUBLES


@pytest.fixture(autouse=True)
def pauses_take_no_time() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
async def troubled(world: World) -> World:
    """A world in which nothing is known of its vendors yet."""
    async with world.service.unit_of_work() as uow:
        await uow.connection.execute(sa.text("DELETE FROM vendor_breakers"))
    world.gate = VendorLedger(world.service.unit_of_work, FixedClock(NOW))
    return world


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_trouble_of_a_vendor_is_told_settles_nothing_and_pauses_what_would_fail_again(
    troubled: World, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    row = TROUBLES[trouble]
    if row.whole_s is not None:
        monkeypatch.setattr(http_session, "WHOLE_S", row.whole_s)
    httpserver.expect_request(re.compile(".*MKT/prices")).respond_with_json([])
    httpserver.expect_request(re.compile(".*")).respond_with_response(row.answered)
    vendor = row.vendor(row.reached(Access(httpserver.url_for("").rstrip("/"), SecretStr(KEY))))
    troubled.providers = [vendor]  # type: ignore[list-item]
    name = troubled.name("BAD")
    if row.before:
        await troubled.run(troubled.name("FIRST"), last=LAST)

    announced = await troubled.run(name, last=LAST)
    await vendor.close()

    (attempt,) = [each for each in await troubled.items(f"/attempts/{name}", as_of=LAST) if each["kind"] == "bars"]
    remarks = await VendorLedger(troubled.service.unit_of_work, FixedClock(NOW)).remarks()
    assert row.said in announced.failures()[name]
    assert (attempt["outcome"], row.said in attempt["detail"]) == (row.outcome, True)
    paused = [f"{vendor.name} is not asked for bars until 2022-12-29 {row.until} UTC: "] if row.until else []
    assert [remark[: len(paused[0])] for remark in remarks if " until " in remark] == paused
    assert KEY not in attempt["detail"] + "".join(remarks) + announced.failures()[name]
