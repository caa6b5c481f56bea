"""What shares are called: said over HTTP or told by a vendor, and asked for so by the next run."""

from datetime import date, timedelta

import pytest
from pytest_httpserver import HTTPServer

from shared.calendar import sessions_between, shift_session
from tests.integration.market_data.conftest import World
from tests.unit.market_data.providers.vendors import invented
from tests.unit.market_data.providers.vendors.massive_server import RENAMED_ON

ON, LAST = date(2022, 6, 9), date(2022, 12, 28)
EVE = ON - timedelta(days=1)
OPENED = date(2020, 9, 1)


def _renamed(world: World) -> dict[str, str]:
    return {"symbol": world.name("META"), "name": world.name("FB"), "last_day": str(EVE), "why": "renamed"}


async def test_book_that_holds_the_old_name_has_prices_throughout_from_who_knows_only_the_new(world: World) -> None:
    world.directory.add(world.name("META"), world.market, first=OPENED, last=LAST)
    world.directory.write()
    unknown = await world.run(world.name("FB"), last=LAST, opened_on=OPENED)

    answer = (await world.send("/identifiers", **_renamed(world))).raise_for_status().json()
    announced = await world.run(world.name("FB"), last=LAST, opened_on=OPENED)

    assert world.name("FB") in unknown.failures()
    assert answer["symbols"] == [world.name("FB")]
    assert announced.failures() == {}
    assert announced.sessions_of(world.name("FB")) == sessions_between(OPENED, LAST)
    stored = {bar.session: bar.close for bar in await world.bars(world.name("FB"))}
    assert stored == world.directory.closes[world.name("META")]


async def test_what_was_said_is_listed_under_either_name_and_may_be_taken_back(world: World) -> None:
    said = _renamed(world)
    (tried,) = [(await world.send("/identifiers", **said, dry_run=True)).raise_for_status().json()]
    assert await world.items("/identifiers", symbol=world.name("FB")) == []
    number = (await world.send("/identifiers", **said, requested_by="ada")).json()["identifier"]["identifier_id"]

    twice = await world.send("/identifiers", **{**said, "symbol": world.name("OTHER")})
    gone = await world.send(f"/identifiers/{number}/withdraw", requested_by="bob")
    free = await world.send("/identifiers", **{**said, "symbol": world.name("OTHER")})

    assert tried["identifier"] is None
    assert (twice.status_code, free.status_code) == (409, 200)
    assert f"{world.name('FB')} is {world.name('META')} until 2022-06-08" in twice.json()["detail"]
    assert gone.json()["withdrawn_by"] == "bob"
    rows = await world.items("/identifiers", symbol=world.name("FB"))
    assert [(row["symbol"], row["said_by"], row["withdrawn_by"]) for row in rows] == [
        (world.name("META"), "ada", "bob"),
        (world.name("OTHER"), "api", None),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"symbol": "META", "name": "FB", "why": "x"}, 422),
        ({"symbol": "META", "name": "META", "last_day": "2022-06-08", "why": "x"}, 422),
        ({"symbol": "META", "name": "FB", "vendor": "files", "why": "x"}, 422),
        ({"symbol": "META", "name": "FB", "first_day": "2022-06-08", "last_day": "2022-06-07", "why": "x"}, 422),
    ],
)
async def test_name_without_an_end_or_without_a_meaning_is_refused(
    world: World, body: dict[str, str], status: int
) -> None:
    assert (await world.send("/identifiers", **body)).status_code == status
    assert (await world.send("/identifiers/999999/withdraw")).status_code == 404


async def test_symbol_that_is_traded_no_more_is_learnt_from_ticker_events_and_goes_on_in_the_next_run(
    over_massive: World,
) -> None:
    first, eve, last = date(2022, 3, 1), shift_session(RENAMED_ON, -1), date(2022, 3, 30)
    await over_massive.run("KO8", last=eve, first=first)
    # Some nights go by on which nobody has bars of it.
    await over_massive.run("KO8", last=last, first=RENAMED_ON)
    (told,) = await over_massive.items("/identifiers", symbol="KO8")

    announced = await over_massive.run("KO8", last=last, first=last)

    assert (told["symbol"], told["name"], told["last_day"], told["source"]) == ("KO9", "KO8", "2022-03-21", "massive")
    assert "KO8" not in announced.failures()
    since = {bar.session: bar.close for bar in await over_massive.bars("KO8")}
    assert {day: since[day] for day in sessions_between(first, last)} == {
        bar.day: bar.close for bar in invented.history("KO") if first <= bar.day <= last
    }


async def test_rename_that_was_taken_back_is_not_learnt_again(over_massive: World) -> None:
    eve, last = shift_session(RENAMED_ON, -1), date(2022, 3, 30)
    rows = await over_massive.items("/identifiers", symbol="KO8")
    if not rows:
        await over_massive.run("KO8", last=eve, first=date(2022, 3, 1))
        await over_massive.run("KO8", last=last, first=RENAMED_ON)
        rows = await over_massive.items("/identifiers", symbol="KO8")
    (await over_massive.send(f"/identifiers/{rows[0]['identifier_id']}/withdraw")).raise_for_status()

    await over_massive.run("KO8", last=last, first=last)

    (row,) = await over_massive.items("/identifiers", symbol="KO8")
    assert row["withdrawn_at"] is not None


async def test_symbol_that_was_marked_private_is_not_asked_for_any_more(
    over_massive: World, httpserver: HTTPServer
) -> None:
    symbol = over_massive.name("FUND")
    said = {"symbol": symbol, "name": symbol, "vendor": "nobody", "why": "ours"}
    (await over_massive.send("/identifiers", **said)).raise_for_status()

    announced = await over_massive.run(symbol, last=date(2022, 3, 30))

    assert "massive: not asked: a private name" in announced.failures()[symbol]
    assert [request.path for request, _ in httpserver.log if symbol in request.url] == []


async def test_symbol_with_bars_is_known_without_asking_anybody(world: World) -> None:
    symbol = world.name("A")
    world.directory.add(symbol, world.market, last=LAST)
    world.directory.write()
    await world.run(symbol, last=LAST)

    (found,) = await world.items("/sources", symbol=symbol, last=str(LAST))
    (long_ago,) = await world.items("/sources", symbol=symbol, last="2010-03-01")

    # The service over HTTP has the sample only, which does not know it.
    assert found["source"] == "files"
    assert long_ago["source"] is None
