"""How many contracts of the options that are held are open: asked for once a session, some options at once, kept."""

import re
from datetime import date

from pytest_httpserver import HTTPServer

from shared.calendar import shift_session
from tests.integration.market_data.conftest import MASSIVE_KEY, World
from tests.unit.market_data.providers.vendors import massive_server
from tests.unit.market_data.providers.vendors.massive_server import CONTRACT

OPTION = CONTRACT.removeprefix("O:")
LAST = date(2022, 3, 30)
PATH = "/options/v1/open-interest"


def asked(server: HTTPServer) -> list[tuple[str, str]]:
    requests = [request for request, _ in server.log if request.path == PATH]
    return [(request.args["ticker.any_of"], request.args["date.lte"]) for request in requests]


async def test_open_interest_of_what_is_held_is_kept_with_who_says_so_and_asked_for_once(
    over_massive: World, httpserver: HTTPServer
) -> None:
    await over_massive.run(OPTION, last=LAST)
    await over_massive.run(OPTION, last=LAST)

    told = await over_massive.items(f"/open-interest/{OPTION}", first=LAST, last=LAST)
    assert [(each["session"], each["contracts"], each["source"]) for each in told] == [(str(LAST), 1_030, "massive")]
    assert asked(httpserver) == [(CONTRACT, str(LAST))]


async def test_session_of_which_it_is_not_told_yet_is_asked_for_by_the_next_run(
    over_massive: World, httpserver: HTTPServer
) -> None:
    async with over_massive.service.unit_of_work() as uow:
        await uow.connection.exec_driver_sql("DELETE FROM open_interest")
    await over_massive.run(OPTION, last=shift_session(LAST, -2))
    await over_massive.run(OPTION, last=LAST)

    told = await over_massive.items(f"/open-interest/{OPTION}", first=shift_session(LAST, -2), last=LAST)
    assert [each["contracts"] for each in told] == [1_028, 1_029, 1_030]


async def test_plan_without_options_costs_shares_nothing(over_massive: World, httpserver: HTTPServer) -> None:
    async with over_massive.service.unit_of_work() as uow:
        await uow.connection.exec_driver_sql("DELETE FROM open_interest")
    httpserver.clear()
    httpserver.expect_request(re.compile(PATH)).respond_with_json({"message": "not entitled"}, status=403)
    massive_server.serve(httpserver, key=MASSIVE_KEY)

    announced = await over_massive.run("AAPL", OPTION, last=LAST)

    assert LAST in announced.sessions_of("AAPL")
    assert await over_massive.items(f"/open-interest/{OPTION}") == []


async def test_run_without_options_asks_nobody(over_massive: World, httpserver: HTTPServer) -> None:
    await over_massive.run("AAPL", last=LAST)

    assert asked(httpserver) == []
