"""What an operator decides about held closes and splits, from the dry run to the correction, on real PostgreSQL."""

from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.market_data.handlers.fetch_shard import fetch_shard
from services.market_data.providers.chain import ProviderChain
from services.market_data.storage.gauges import read_held
from shared.clock import FixedClock, SessionClock
from shared.contracts.market_data import MarketDataDue
from shared.contracts.run import ONLY_PART
from tests.integration.market_data.conftest import Announced, World
from tests.integration.market_data.test_judging import SESSIONS, corrections, lines, write
from tests.support.databases import OPERATOR_TOKEN
from tests.support.runs import make_run

LAST = SESSIONS[-1]
HELD = SESSIONS[-2]


async def post(world: World, **body: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    return await world.client.post("/findings/rulings", json=body, headers=headers)


async def decide(world: World, symbol: str, decision: str, **more: Any) -> Any:
    place = {"symbol": symbol, "session": str(HELD), "rule": "UNEXPLAINED_JUMP"}
    answer = await post(world, **(place | {"decision": decision, "why": "the exchange says so"} | more))
    return answer.raise_for_status().json()


@pytest.fixture
async def crashed(world: World, tmp_path: Path) -> str:
    """A symbol with a close that is held and another one after it."""
    name = world.name("CRASH")
    write(tmp_path, *lines(name, [100, 101, 102, 103, 5, 5.5]), *lines(world.market, [100] * 6))
    await world.run(name, last=LAST)
    return name


async def closes(world: World, symbol: str) -> list[float]:
    return [bar.close for bar in await world.bars(symbol)]


async def test_dry_run_says_which_bars_change_and_keeps_nothing(world: World, crashed: str) -> None:
    answer = await decide(world, crashed, "accept", dry_run=True)

    assert (answer["stored"], answer["value"]) == (False, 5.0)
    assert [(change["session"], change["close_before"], change["close_after"]) for change in answer["changes"]] == [
        (str(HELD), None, 5.0),
        (str(LAST), None, 5.5),
    ]
    assert await world.items("/findings/rulings", symbol=crashed) == []


async def held_closes(world: World) -> float:
    async with world.service.unit_of_work.reading() as connection:
        (reading,) = await read_held(connection)
    return reading.value


async def test_close_that_is_held_is_counted_until_somebody_has_decided(world: World, crashed: str) -> None:
    before = await held_closes(world)

    await decide(world, crashed, "refuse")

    assert (before - await held_closes(world)) == 1


async def test_accepted_close_is_a_correction_of_the_next_run_though_it_fetches_nothing(
    world: World, crashed: str
) -> None:
    await decide(world, crashed, "accept", requested_by="cli: someone")
    asked = len(world.providers[0].asked)
    before = await closes(world, crashed)

    run = make_run(first_session=HELD, last_session=HELD, symbols=(crashed,))
    nothing_to_fetch = MarketDataDue(run=run, part=ONLY_PART, symbols=(crashed,))
    async with world.service.unit_of_work() as uow:
        clock = SessionClock(FixedClock(world.now))
        await fetch_shard(nothing_to_fetch, uow, chain=ProviderChain(world.providers), clock=clock)
    announced = await world.announced(run)

    assert len(world.providers[0].asked) == asked
    assert before == [100, 101, 102, 103]
    assert await closes(world, crashed) == [100, 101, 102, 103, 5, 5.5]
    assert announced.sessions_of(crashed) == [HELD, LAST]
    assert await world.items("/findings", symbol=crashed) == []
    (ruling,) = await world.items("/findings/rulings", symbol=crashed)
    said = {name: ruling[name] for name in ("symbol", "session", "rule", "decision", "value", "decided_by", "why")}
    assert said == {
        "symbol": crashed,
        "session": str(HELD),
        "rule": "UNEXPLAINED_JUMP",
        "decision": "accept",
        "value": 5.0,
        "decided_by": "cli: someone",
        "why": "the exchange says so",
    }
    assert ruling["applied_by"] is not None
    assert (await run_again(world, crashed)).sessions_of(crashed) == [LAST], "it is applied once"


async def run_again(world: World, symbol: str) -> Announced:
    return await world.run(symbol, last=LAST)


async def test_refused_close_stays_held_and_is_no_longer_asked_about(
    world: World, crashed: str, tmp_path: Path
) -> None:
    undecided = await world.items("/findings", symbol=crashed, undecided=True)
    await decide(world, crashed, "refuse")
    write(tmp_path, *lines(crashed, [100, 101, 102, 103, 5, 104]), *lines(world.market, [100] * 6))
    await run_again(world, crashed)

    assert [entry["day"] for entry in undecided] == [str(HELD), str(LAST)]
    assert await closes(world, crashed) == [100, 101, 102, 103, 104]
    assert await world.items("/findings", symbol=crashed, undecided=True) == []
    (finding,) = await world.items("/findings", symbol=crashed)
    assert (finding["rule"], finding["decision"], finding["value"]) == ("UNEXPLAINED_JUMP", "refuse", 5.0)


async def test_accepted_close_that_is_refused_afterwards_is_taken_back(world: World, crashed: str) -> None:
    await decide(world, crashed, "accept")
    await run_again(world, crashed)
    answer = await decide(world, crashed, "refuse")

    announced = await run_again(world, crashed)

    assert [(change["session"], change["close_after"]) for change in answer["changes"]] == [
        (str(HELD), None),
        (str(LAST), None),
    ]
    assert await closes(world, crashed) == [100, 101, 102, 103]
    assert corrections(announced, crashed) == [(HELD, LAST)]


async def test_refused_split_leaves_the_shares_and_says_so_beforehand(world: World, tmp_path: Path) -> None:
    name = world.name("NOSP")
    bars = [(80.0, 40.0), (80.6, 40.3), (40.2, 40.2), (40.6, 40.6)]
    days = SESSIONS[-4:]
    rows = [(name, day, close, "", "", adjusted) for day, (close, adjusted) in zip(days, bars, strict=True)]
    write(tmp_path, *rows, *((world.market, day, 1, "", "", 1) for day in days))
    await world.run(name, last=LAST)

    answer = await decide(world, name, "refuse", rule="INFERRED_SPLIT")
    announced = await world.run(name, first=HELD, last=LAST)

    (change,) = answer["changes"]
    assert (change["session"], change["split_before"], change["split_after"]) == (str(HELD), 2.0, 1.0)
    assert [bar.split for bar in await world.bars(name)] == [1.0] * 4
    assert corrections(announced, name) == [(HELD, HELD)]
    assert [event.splits for event in announced.prices] == [()]


async def test_symbol_without_bars_for_twenty_sessions_is_told_once_until_it_is_traded_again(
    world: World, tmp_path: Path
) -> None:
    gone, late = world.name("GONE"), world.name("LATE")
    market, days = lines(world.market, [100] * len(SESSIONS)), SESSIONS
    quiet = [*lines(gone, [7.0, 8.0], days[1]), *lines(late, [7.0, 8.0, 9.0], days[2])]
    write(tmp_path, *quiet, *market)

    await world.run(gone, late, last=LAST)
    await world.run(gone, late, last=LAST)
    told = await world.items("/findings", rule="DELISTED")
    seen = {"symbol": gone, "session": str(days[1]), "rule": "DELISTED", "decision": "accept", "why": "bankrupt"}
    answer = (await post(world, **seen)).raise_for_status().json()
    waiting = await world.items("/findings", symbol=gone, undecided=True)
    write(tmp_path, *quiet, (gone, LAST, 6.0, "", "", ""), *market)
    await world.run(gone, late, last=LAST)

    assert len(days) == 22
    assert [(f["symbol"], f["day"], f["value"]) for f in told] == [(gone, str(days[1]), 8.0)]
    assert told[0]["detail"] == "no bar for 20 sessions after it"
    assert (answer["value"], answer["changes"], waiting) == (8.0, [], [])
    assert await world.items("/findings", rule="DELISTED") == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"session": str(SESSIONS[-3])}, 404),  # nothing was found there
        ({"symbol": "NOBODY"}, 404),
        ({"rule": "NON_POSITIVE_CLOSE"}, 422),  # no verdict
        ({"decision": "perhaps"}, 422),
        ({"why": ""}, 422),
    ],
)
async def test_decision_about_nothing_is_refused(
    world: World, crashed: str, change: dict[str, str], status: int
) -> None:
    body = {"symbol": crashed, "session": str(HELD), "rule": "UNEXPLAINED_JUMP", "decision": "accept", "why": "x"}

    answer = await post(world, **(body | change))

    assert answer.status_code == status


async def test_ruling_about_a_close_says_nothing_about_another_one(world: World, crashed: str, tmp_path: Path) -> None:
    await decide(world, crashed, "accept")
    write(tmp_path, *lines(crashed, [100, 101, 102, 103, 6, 5.5]), *lines(world.market, [100] * 6))

    await world.run(crashed, first=date(2022, 12, 20), last=LAST)

    assert await closes(world, crashed) == [100, 101, 102, 103]
