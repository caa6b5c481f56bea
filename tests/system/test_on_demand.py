"""A portfolio on demand: over what it holds alone, told what failed, and done again when that has come."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from services.market_data.settings import MarketDataSettings
from services.ops.cli import app
from shared.factor_set import FactorSet
from tests.support.databases import OPERATOR_TOKEN
from tests.support.platform import Json, Platform, running_platform
from tests.support.price_directories import PriceDirectory
from tests.support.stack import Servers

OPENED, BEFORE, LAST = date(2022, 12, 19), date(2022, 12, 27), date(2022, 12, 28)
ONLY_MARKET = FactorSet(
    value=None, growth=None, momentum=None, quality=None, size=None, low_volatility=None, market="MKT", rate=None
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> PriceDirectory:
    prices = PriceDirectory(tmp_path_factory.mktemp("prices"))
    prices.add("MKT", "MINE", "YOURS", last=LAST)
    prices.write()
    return prices


@pytest.fixture(scope="module")
async def platform(own_servers: Servers, directory: PriceDirectory) -> AsyncIterator[Platform]:
    sources = MarketDataSettings(providers=("files",), files_dir=directory.path)
    async with running_platform(own_servers, sources, ONLY_MARKET) as running:
        yield running


async def onboard(platform: Platform, name: str, *symbols: str) -> str:
    positions = [
        {"symbol": symbol, "kind": "LONG", "quantity": "10", "entry_date": "2022-11-01", "entry_price": "100"}
        for symbol in symbols
    ]
    terms = {"opening_equity": "50000", "opened_on": str(OPENED), "as_of": str(BEFORE)}
    entered = await platform.api.post("/portfolios", {"name": name, "positions": positions, **terms})
    await platform.api.ended(entered["run_id"])
    portfolio_id: str = entered["portfolio_id"]
    return portfolio_id


async def sigmasight(platform: Platform, *arguments: str) -> Result:
    command = [*arguments, "--url", platform.url]
    return await asyncio.to_thread(CliRunner().invoke, app, command, env={"SIGMASIGHT_TOKEN": OPERATOR_TOKEN})


async def newest(platform: Platform, symbol: str) -> str:
    bars: list[Json] = (await platform.api.get(f"/prices/{symbol}"))["items"]
    return max(str(bar["session"]) for bar in bars)


async def test_portfolio_on_demand_is_computed_alone_and_what_failed_is_done_again(
    platform: Platform, directory: PriceDirectory
) -> None:
    mine, yours = await onboard(platform, "mine", "MINE", "LATER"), await onboard(platform, "yours", "YOURS")

    ended = await sigmasight(platform, "run", "--portfolio", "mine", "--end-date", str(LAST), "--summary-json")

    assert ended.exit_code == 1, ended.output
    run: Any = json.loads(ended.stdout)
    assert (run["run"]["symbols"], run["run"]["portfolio_ids"]) == (["LATER", "MINE"], [mine])
    (cause,) = run["causes"]
    assert (cause["stage"], cause["first_subjects"]) == ("prices.updated", ["LATER"])
    assert cause["first_portfolios"] == [{"portfolio_id": mine, "name": "mine"}]
    assert (await newest(platform, "MINE"), await newest(platform, "YOURS")) == (str(LAST), str(BEFORE))
    assert len(await platform.api.items(f"/portfolios/{yours}/snapshots", first=str(LAST))) == 0

    directory.add("LATER", last=LAST)
    directory.write()
    retry = await sigmasight(platform, "runs", "retry-failed", run["run"]["run_id"], "--json")

    assert retry.exit_code == 0, retry.output
    again = json.loads(retry.stdout)["run"]
    assert (again["symbols"], again["portfolio_ids"], again["first_session"]) == (["LATER"], [mine], str(LAST))
    assert (await platform.api.get(f"/readiness/{mine}", as_of=str(LAST)))["state"] == "ready"
    done = await sigmasight(platform, "runs", "retry-failed", run["run"]["run_id"])
    assert (done.exit_code, "was to compute is done" in done.stderr) == (2, True)


async def test_portfolios_that_nobody_knows_are_refused_by_both_ends(platform: Platform) -> None:
    named = await sigmasight(platform, "run", "--portfolio", "theirs", "--end-date", str(LAST))
    assert (named.exit_code, "no portfolio has the name or id 'theirs'" in named.stderr) == (2, True)

    answer = await platform.api.client.post("/runs", json={"portfolio_ids": [str(uuid4())], "last_session": str(LAST)})
    assert answer.status_code == 422


async def test_portfolio_that_asks_for_itself_has_the_run_that_would_be_asked_for_it(platform: Platform) -> None:
    (mine,) = [each for each in await platform.api.items("/portfolios") if each["name"] == "mine"]
    asked = await platform.api.post(f"/portfolios/{mine['portfolio_id']}/calculate", {"as_of": str(LAST)})
    own = await platform.api.ended(asked["run_id"])
    run = await platform.api.run(portfolio_ids=[mine["portfolio_id"]], last_session=str(LAST))

    scope = ("kind", "first_session", "last_session", "symbols", "portfolio_ids")
    assert [own["run"][name] for name in scope] == [run["run"][name] for name in scope]
    assert (own["status"], run["status"]) == ("completed", "completed")
