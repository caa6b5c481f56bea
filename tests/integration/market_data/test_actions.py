"""What companies do to their shares: told by vendors with their days, seen in bars, entered by hand."""

from datetime import date

import pytest

from services.market_data.core.names import Identifier
from services.market_data.storage.identifier_repository import IdentifierRepository
from tests.integration.market_data.conftest import World
from tests.unit.market_data.providers.vendors.invented import DIVIDEND_ON, SPLIT_ON
from tests.unit.market_data.providers.vendors.massive_server import PAID_AFTER

FIRST, LAST = date(2022, 3, 1), date(2022, 3, 30)


async def test_dividend_has_its_day_of_payment_and_a_split_its_source(over_massive: World) -> None:
    for _ in range(2):
        await over_massive.run("KO", last=LAST, first=FIRST)

    rows = await over_massive.items("/corporate-actions/KO")

    assert [(row["kind"], row["ex_day"], row["pay_day"], row["value"], row["source"]) for row in rows] == [
        ("dividend", str(DIVIDEND_ON), str(DIVIDEND_ON + PAID_AFTER), 0.22, "massive"),
        ("split", str(SPLIT_ON), None, 2.0, "massive"),
    ]


async def test_actions_under_a_former_name_are_those_of_the_share(over_massive: World) -> None:
    async with over_massive.service.unit_of_work() as uow:
        renamed = Identifier("KO9", "KO8", last_day=date(2022, 3, 21))
        await IdentifierRepository(uow.connection).append_identifiers([renamed], source="massive", why="events")

    await over_massive.run("KO9", last=LAST, first=FIRST)

    rows = await over_massive.items("/corporate-actions/KO9")
    assert [(row["kind"], row["ex_day"]) for row in rows] == [("dividend", str(DIVIDEND_ON)), ("split", str(SPLIT_ON))]


async def test_what_only_bars_show_has_their_source(world: World) -> None:
    symbol = world.name("A")
    world.directory.add(symbol, world.market, last=LAST)
    world.directory.dividends[symbol, DIVIDEND_ON] = 0.5
    world.directory.write()

    await world.run(symbol, last=LAST, first=FIRST)

    (row,) = await world.items(f"/corporate-actions/{symbol}")
    assert (row["kind"], row["ex_day"], row["pay_day"], row["value"], row["source"]) == (
        "dividend",
        str(DIVIDEND_ON),
        None,
        0.5,
        "files",
    )


async def test_spin_off_is_a_finding_of_the_run_over_its_day_and_changes_no_bar(world: World) -> None:
    symbol = world.name("PARENT")
    world.directory.add(symbol, world.market, last=LAST)
    world.directory.write()
    await world.run(symbol, last=DIVIDEND_ON, first=FIRST)
    said = {
        "symbol": symbol,
        "kind": "spin_off",
        "ex_day": "2022-03-16",
        "other": "CHILD",
        "value": 0.25,
        "why": "filed",
    }
    entered = (await world.send("/corporate-actions", **said)).raise_for_status().json()

    before = await world.run(symbol, last=date(2022, 3, 15), first=date(2022, 3, 9))
    nothing = await world.items("/findings", symbol=symbol)
    over = await world.run(symbol, last=LAST, first=date(2022, 3, 16))

    (found,) = await world.items("/findings", symbol=symbol)
    assert nothing == []
    assert (found["rule"], found["day"], found["provider"]) == ("CORPORATE_ACTION", "2022-03-16", "operator")
    assert found["detail"] == "spin-off into CHILD, 0.25 for one: no book is changed by it"
    assert (entered["source"], entered["why"], entered["value"]) == ("operator", "filed", 0.25)
    assert [block for event in (*before.prices, *over.prices) for block in event.splits] == []


@pytest.mark.parametrize("kind", ["dividend", "split"])
async def test_what_bars_have_cannot_be_entered_beside_them(world: World, kind: str) -> None:
    said = {"symbol": world.name("A"), "kind": kind, "ex_day": "2022-03-16", "value": 2, "why": "x"}
    assert (await world.send("/corporate-actions", **said)).status_code == 422
