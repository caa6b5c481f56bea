"""What vendors are known not to have: no request is spent on it each night, and an operator has it asked again."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import pytest

from services.market_data.providers.provider import FetchedStatements
from shared.calendar import shift_session
from tests.integration.market_data.conftest import AskedProvider, World
from tests.support.databases import OPERATOR_TOKEN

LAST = date(2022, 12, 28)
FIRST_NIGHT = date(2022, 9, 12)


class Unentitled(AskedProvider):
    """A vendor whose plan has no statements of any company."""

    async def fetch_statements(self, symbols: Sequence[str]) -> FetchedStatements:
        self.asked_statements += symbols
        failed = dict.fromkeys(symbols, "402: premium")
        return FetchedStatements(self.name, {}, {}, failed=failed, not_entitled=failed.keys())


@pytest.fixture
def vendors(world: World) -> list[AskedProvider]:
    """Two vendors in a row that know the market, and nothing else."""
    world.directory.add(world.market, last=LAST)
    world.directory.write()
    world.providers[:] = [AskedProvider(world.directory.path, name) for name in ("tiingo", "yahoo")]
    return world.providers


async def _night(world: World, session: date, *symbols: str) -> None:
    world.now = datetime.combine(session + timedelta(days=1), time(3), tzinfo=UTC)
    await world.run(*symbols, last=session)


async def _nights(world: World, symbol: str, count: int) -> list[date]:
    sessions = [shift_session(FIRST_NIGHT, night) for night in range(count)]
    for session in sessions:
        await _night(world, session, symbol)
    return sessions


async def test_symbol_that_no_vendor_knows_costs_ever_fewer_requests(
    world: World, vendors: list[AskedProvider]
) -> None:
    unknown = world.name("NOBODY")

    nights = await _nights(world, unknown, 45)

    for vendor in vendors:
        bars = [last for symbols, _, last in vendor.asked if unknown in symbols]
        assert bars == [nights[each] for each in (0, 5, 10, 15, 20, 30)], "once a week at first, then ever later"
        assert vendor.asked_statements.count(unknown) == 7, "on days 0, 1, 3, 7, 14, 28 and 56 of 63"
        assert vendor.asked_profiles.count(unknown) == 7
    said = await world.items(f"/attempts/{unknown}", as_of=nights[-1])
    bars_said = [each for each in said if each["kind"] == "statements"]
    assert [each["provider"] for each in bars_said] == ["tiingo", "yahoo"]
    assert all(each["outcome"] == "absent" and "unknown since 2022-09-13" in each["detail"] for each in bars_said)
    known = await world.items("/absences", symbol=unknown)
    assert {(each["kind"], each["vendor"], each["lacking"]) for each in known} == {
        (kind, vendor, "unknown") for kind in ("bars", "profiles", "statements") for vendor in ("tiingo", "yahoo")
    }


async def test_vendor_that_lacks_what_the_next_one_has_is_not_asked_each_night(
    world: World, vendors: list[AskedProvider], tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = world.name("ELSEWHERE")
    other = type(world.directory)(tmp_path_factory.mktemp("yahoo"))
    other.add(world.market, name, last=LAST)
    other.write()
    world.providers[1] = AskedProvider(other.path, "yahoo")

    nights = await _nights(world, name, 8)

    asked_first = {last for symbols, _, last in vendors[0].asked if name in symbols}
    assert asked_first == {nights[each] for each in (0, 1, 3, 5)}, "after 1, 2 and 4 days, without a weekend"
    assert len([1 for symbols, _, _ in world.providers[1].asked if name in symbols]) == 8
    assert [bar.source for bar in await world.bars(name)][-1] == "yahoo"
    assert (await world.bars(name))[-1].session == nights[-1]


async def test_symbol_that_has_ended_is_known_as_delisted_after_twenty_sessions_and_its_past_can_be_had(
    world: World, vendors: list[AskedProvider]
) -> None:
    name = world.name("ENDED")
    world.directory.add(name, last=shift_session(FIRST_NIGHT, -21))
    world.directory.write()

    nights = await _nights(world, name, 17)
    known = await world.items("/absences", symbol=name)
    assert ("tiingo", "delisted") in {(each["vendor"], each["lacking"]) for each in known if each["kind"] == "bars"}
    weekly = [last for symbols, _, last in vendors[0].asked if name in symbols]
    assert weekly == [nights[0], nights[5], nights[15]], "nobody else, and after a week for two"
    assert not any(name in symbols for symbols, _, _ in vendors[1].asked)
    asked = len(vendors[0].asked)
    past = shift_session(FIRST_NIGHT, -300)
    await world.run(name, first=past, last=past)

    assert any(name in symbols for symbols, _, _ in vendors[0].asked[asked:]), "what was before is asked for"
    assert any(bar.session == past for bar in await world.bars(name))


async def test_operator_lets_vendors_be_asked_again_and_is_noted(world: World, vendors: list[AskedProvider]) -> None:
    unknown = world.name("SOON")
    await _night(world, FIRST_NIGHT, unknown)
    world.directory.add(unknown, last=LAST)
    world.directory.write()
    await world.run(unknown, last=FIRST_NIGHT)
    assert await world.bars(unknown) == [], "it waits"

    refused = await world.client.post("/absences/forgotten", json={"symbol": unknown})
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    neither = await world.client.post("/absences/forgotten", json={}, headers=headers)
    forgotten = await world.client.post("/absences/forgotten", json={"symbol": unknown}, headers=headers)
    await world.run(unknown, last=FIRST_NIGHT)

    assert (refused.status_code, neither.status_code) == (403, 422)
    assert {(each["symbol"], each["vendor"]) for each in forgotten.json()} == {(unknown, "tiingo"), (unknown, "yahoo")}
    assert (await world.bars(unknown))[-1].session == FIRST_NIGHT
    assert await world.items("/absences", symbol=unknown, vendor="tiingo") != [], "of profiles it has nothing, still"
    done = await world.rows("SELECT outcome FROM audit WHERE action = 'POST /absences/forgotten' ORDER BY place")
    assert [row.outcome for row in done][-1] == "done"


async def test_what_a_plan_does_not_have_stays_open_and_costs_nothing(
    world: World, vendors: list[AskedProvider]
) -> None:
    vendor = Unentitled(world.directory.path, "fmp")
    world.providers[:] = [vendors[0], vendor]
    name = world.name("LARGE")

    await _nights(world, name, 4)

    assert vendor.asked_statements.count(name) == 1
    said = [each for each in await world.items(f"/attempts/{name}") if each["provider"] == "fmp"]
    assert [(each["kind"], each["outcome"]) for each in said if each["kind"] == "statements"] == [
        ("statements", "not asked")
    ]
    (known,) = [each for each in await world.items("/absences", symbol=name, vendor="fmp") if each["kind"] != "bars"][
        -1:
    ]
    assert (known["lacking"], known["times"]) == ("not entitled", 1)
