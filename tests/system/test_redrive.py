"""What failed because of a bug is computed again when the bug is gone: one work message, and one fact that was lost."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
from typer.testing import CliRunner

from services.market_data.settings import MarketDataSettings
from services.ops.cli import app
from tests.support.bus_log import BusLog
from tests.support.databases import OPERATOR_TOKEN
from tests.support.eventually import eventually
from tests.support.platform import Json, Platform, running_platform
from tests.support.stack import Servers

DAY, NIGHT = "2022-12-20", "2022-12-21"
HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class"
CSV = f"{HEADER}\nAAPL,100,140,2022-11-01,\nXOM,50,110,2022-11-01,"
# The tables that a bug keeps two consumers from writing.
STRUCK = {"portfolio.snapshots": "portfolio.value_portfolios", "risk.betas": "risk.store_betas"}


@pytest.fixture(scope="module")
async def platform(own_servers: Servers) -> AsyncIterator[Platform]:
    async with running_platform(own_servers, MarketDataSettings(providers=("sample",))) as running:
        yield running


async def _command(platform: Platform, *arguments: str) -> tuple[int, str]:
    runner = CliRunner(env={"SIGMASIGHT_URL": platform.url, "SIGMASIGHT_TOKEN": OPERATOR_TOKEN})
    done = await asyncio.to_thread(runner.invoke, app, ["dead-letters", *arguments])
    return done.exit_code, done.output


async def test_letters_of_a_run_are_made_good_when_the_bug_is_gone(platform: Platform, bus_log: BusLog) -> None:
    bus_log.expect("handler failed")
    terms = {"opening_equity": "100000.00", "opened_on": "2022-12-01", "as_of": DAY}
    entered = await platform.api.import_portfolio("struck", CSV, **terms)
    await platform.api.ended(entered["run_id"])
    await platform.fetch(
        "CREATE FUNCTION public.strike() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''a bug''; END'"
    )
    for table in STRUCK:
        await platform.fetch(
            f"CREATE TRIGGER strike BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION public.strike()"
        )
    failed = await platform.api.run(first_session=NIGHT, last_session=NIGHT)
    assert failed["status"] == "completed_with_errors"
    run_id = failed["run"]["run_id"]

    async def recorded() -> list[Json]:
        letters = await platform.api.items("/dead-letters", run_id=run_id)
        return letters if {letter["consumer"] for letter in letters} == set(STRUCK.values()) else []

    assert await eventually(recorded)
    assert (await _readiness(platform, entered))["state"] == "blocked"
    for table in STRUCK:
        await platform.fetch(f"DROP TRIGGER strike ON {table}")

    _, dry = await _command(platform, "redrive", "--run", run_id, "--dry-run")
    assert re.search(r"messages? of symbols.factored (is|are) sent again to risk.store_betas", dry)
    assert re.search(rf"letters? of run {run_id}: ", dry)
    code, said = await _command(platform, "redrive", "--run", run_id, "--why", "repaired", "--wait", "--json")

    redrive = json.loads(said)
    assert (code, redrive["counts"]["settled"]) == (0, redrive["letters"])
    (made_good,) = redrive["run_ids"]
    assert (await platform.api.ended(made_good))["status"] == "completed"
    assert (await _readiness(platform, entered))["state"] == "ready"
    (betas,) = await platform.fetch("SELECT count(*) AS found FROM risk.betas WHERE as_of = $1::text::date", NIGHT)
    assert betas["found"] >= 2
    assert (await platform.api.get("/dead-letters/counts"))["letters"] == 0
    risk = await platform.api.get(f"/risk/portfolios/{entered['portfolio_id']}")
    assert risk["as_of"] == NIGHT


async def _readiness(platform: Platform, entered: Json) -> Json:
    found: Json = await platform.api.get(f"/readiness/{entered['portfolio_id']}", as_of=NIGHT)
    return found
