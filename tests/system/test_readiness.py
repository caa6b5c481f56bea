"""Five portfolios of which one is ready: what support is told about each, by the API and on the command line."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from services.market_data.settings import MarketDataSettings
from services.ops.cli import app
from shared.calendar import sessions_between
from shared.contracts.event import Event
from shared.contracts.market_data import ProfilesUpdated
from shared.contracts.portfolio import PortfolioDue
from shared.contracts.run import ONLY_PART, Part
from tests.support.bus_log import BusLog
from tests.support.databases import OPERATOR_TOKEN
from tests.support.eventually import eventually
from tests.support.platform import Json, Platform, running_platform
from tests.support.probe import Sender
from tests.support.runs import make_run
from tests.support.stack import Servers

OPENED, ONBOARDED, NIGHT = date(2022, 12, 1), date(2022, 12, 20), date(2022, 12, 28)
HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class\n"


@pytest.fixture(scope="module")
async def platform(own_servers: Servers) -> AsyncIterator[Platform]:
    async with running_platform(own_servers, MarketDataSettings(providers=("sample",))) as running:
        yield running


async def onboard(platform: Platform, name: str, *symbols: str, as_of: date = ONBOARDED) -> UUID:
    csv = HEADER + "\n".join(f"{symbol},10,100,2022-11-01," for symbol in symbols)
    entered = await platform.api.import_portfolio(
        name, csv, opening_equity="100000.00", opened_on=str(OPENED), as_of=str(as_of)
    )
    await platform.api.ended(entered["run_id"])
    return UUID(entered["portfolio_id"])


async def readiness(platform: Platform, portfolio_id: UUID) -> Json:
    found: Json = await platform.api.get(f"/readiness/{portfolio_id}", as_of=str(NIGHT))
    return found


async def until(platform: Platform, portfolio_id: UUID, state: str, kind: str) -> Json:
    """Return how the portfolio stands once it stands so for this kind of cause alone: on the way it may have others."""

    async def look() -> Json | None:
        found = await readiness(platform, portfolio_id)
        return found if found["state"] == state and {cause["kind"] for cause in found["causes"]} == {kind} else None

    found = await eventually(look)
    assert found is not None
    return found


async def publish(platform: Platform, event: Event) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=platform.servers.bootstrap_servers)
    await producer.start()
    try:
        await Sender(producer).event(event)
    finally:
        await producer.stop()


async def sigmasight(platform: Platform, *arguments: str) -> Result:
    environment = {"SIGMASIGHT_TOKEN": OPERATOR_TOKEN}
    command = [*arguments, "--url", platform.url]
    return await asyncio.to_thread(CliRunner().invoke, app, command, env=environment)


async def test_each_of_five_portfolios_says_how_it_stands_and_what_to_do(platform: Platform, bus_log: BusLog) -> None:
    ready = await onboard(platform, "ready", "AAPL", as_of=NIGHT)
    unknown = await onboard(platform, "holds an unknown", "AAPL", "NOBODYHAS", as_of=NIGHT)
    poisoned = await onboard(platform, "set aside", "AAPL")
    under_way = await onboard(platform, "under way", "AAPL")
    behind = await onboard(platform, "left behind", "AAPL")
    # Its sessions end before they begin, which no fan-out would ask for.
    scope: dict[str, Any] = {"first_session": NIGHT, "last_session": NIGHT, "symbols": ()}
    reversed_due = PortfolioDue(
        run=make_run(**scope, portfolio_ids=(poisoned,)),
        part=ONLY_PART,
        portfolio_ids=(poisoned,),
        first_session=NIGHT,
        last_session=ONBOARDED,
        prices_seen_below=1,
    )
    bus_log.expect("handler failed")
    await platform.make_known(reversed_due.run)
    await publish(platform, reversed_due)
    # Of a run whose other parts never come.
    waiting = make_run(**scope, portfolio_ids=(under_way,))
    await platform.make_known(waiting)
    await publish(platform, ProfilesUpdated(run=waiting, part=Part(index=0, total=2)))

    assert (await readiness(platform, ready))["state"] == "ready"

    blocked = await until(platform, unknown, "blocked", "failed")
    (cause,) = blocked["causes"]
    assert (cause["kind"], cause["subjects"], cause["fact"], cause["reason"]) == (
        "failed",
        ["NOBODYHAS"],
        "bars",
        "MISSING_DATA",
    )
    assert "no provider serves NOBODYHAS" in cause["what"]
    again = "sigmasight run --portfolio 'holds an unknown' --start 2022-12-28 --as-of 2022-12-28"
    assert cause["todo"].endswith(
        f"(sigmasight findings --symbol NOBODYHAS), supply them or correct the symbol in the book, then: {again}"
    )

    letter = await until(platform, poisoned, "blocked", "dead letter")
    # The failure that the letter led to is told with it.
    (cause,) = letter["causes"]
    assert (cause["subjects"], cause["run_id"]) == ([str(poisoned)], str(reversed_due.run.run_id))
    assert cause["what"].startswith("portfolio.value_portfolios could not process a message of portfolio.due")

    pending = await until(platform, under_way, "pending", "under way")
    assert [each["run_id"] for each in pending["causes"]] == [str(waiting.run_id)]
    assert "profiles.updated: part 1 of 2" in pending["causes"][0]["what"]

    stale = await readiness(platform, behind)
    assert (stale["state"], stale["newest_session"]) == ("stale", str(ONBOARDED))
    assert stale["causes"][0]["what"] == "left behind: nobody has asked for snapshot of 2022-12-28, or it never came"

    every = await platform.api.get("/readiness", as_of=str(NIGHT))
    assert every["counts"] == {"ready": 1, "pending": 1, "blocked": 2, "stale": 1, "replaying": 0}


async def test_cells_of_a_run_are_those_it_was_asked_for(platform: Platform) -> None:
    portfolio_id = await onboard(platform, "covered", "MSFT", "XOM", as_of=NIGHT)

    found = await platform.api.get("/cells", portfolio_id=str(portfolio_id), first=str(OPENED), last=str(NIGHT))

    counts = {session["session"]: {count["fact"]: count for count in session["counts"]} for session in found["items"]}
    assert list(counts) == [str(day) for day in sessions_between(OPENED, NIGHT)]
    for session, of in counts.items():
        # History comes with a symbol; factors and metrics are of the sessions that were asked for.
        assert (of["snapshot"]["done"], of["assessment"]["done"], of["bars"]["done"]) == (
            1, int(session == str(NIGHT)), 2
        ), session  # fmt: skip
        assert of["factors"]["done"] == of["metrics"]["done"] == 2 * (session == str(NIGHT))
    (own,) = [cell for cell in found["items"][-1]["cells"] if cell["fact"] == "snapshot"]
    assert (own["state"], own["revision"]) == ("done", 1)


async def test_command_line_says_the_same(platform: Platform) -> None:
    one = await sigmasight(platform, "ready", "ready", "--as-of", str(NIGHT))
    assert (one.exit_code, "ready as of 2022-12-28: ready" in one.stdout) == (0, True), one.output

    blocked = await sigmasight(platform, "ready", "holds an unknown", "--as-of", str(NIGHT))
    assert blocked.exit_code == 1
    assert "NOBODYHAS: no bars of 2022-12-28 (MISSING_DATA)" in blocked.stdout

    every = await sigmasight(platform, "ready", "--as-of", str(NIGHT))
    assert every.exit_code == 1
    assert "2 ready, 1 pending, 2 blocked, 1 stale" in every.stdout

    grid = await sigmasight(platform, "coverage", "--portfolio", "covered", "--from", str(OPENED), "--to", str(NIGHT))
    assert grid.exit_code == 0, grid.output
    assert "closed" in grid.stdout
