"""What indices are made of: loaded whole or not at all, by day, and watched."""

from datetime import date
from typing import Any

import httpx
import pytest

from tests.integration.market_data.conftest import World
from tests.support.databases import OPERATOR_TOKEN

LAST = date(2022, 12, 28)


async def _load(world: World, as_of: str, *rows: tuple[str, float], dry_run: bool = False) -> httpx.Response:
    body: dict[str, Any] = {"as_of": as_of, "dry_run": dry_run}
    body["constituents"] = [{"symbol": world.name(symbol), "weight": weight} for symbol, weight in rows]
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    return await world.client.put(f"/universes/{world.prefix}IX", json=body, headers=headers)


async def test_index_is_what_was_loaded_last_up_to_a_day(world: World) -> None:
    for as_of, rows in (("2022-01-03", (("A", 0.5), ("B", 0.5))), ("2022-07-01", (("A", 0.25), ("C", 0.75)))):
        (await _load(world, as_of, *rows)).raise_for_status()
    (await _load(world, "2022-07-01", ("A", 0.3), ("C", 0.7))).raise_for_status()

    path = f"/universes/{world.prefix}IX"
    spring, summer = [await world.items(path, as_of=day) for day in ("2022-06-30", "2022-07-01")]

    assert [(row["symbol"], row["weight"]) for row in spring] == [(world.name("A"), 0.5), (world.name("B"), 0.5)]
    assert [(row["symbol"], row["weight"]) for row in summer] == [(world.name("A"), 0.3), (world.name("C"), 0.7)]
    assert await world.items(path, as_of="2021-12-31") == []
    own = [row for row in await world.items("/universes") if row["universe"] == f"{world.prefix}IX"]
    assert [(row["as_of"], row["symbols"]) for row in own] == [("2022-01-03", 2), ("2022-07-01", 2)]


async def test_symbols_of_an_index_are_watched_and_those_of_a_dry_run_are_not(world: World) -> None:
    tried = (await _load(world, "2022-01-03", ("TRIED", 1.0), dry_run=True)).raise_for_status().json()
    (await _load(world, "2022-01-03", ("A", 1.0))).raise_for_status()

    watched = {row["symbol"] for row in await world.items("/coverage")}

    assert (tried["symbols"], tried["stored"]) == (1, False)
    assert (world.name("A") in watched, world.name("TRIED") in watched) == (True, False)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((("A", 0.5), ("A", 0.5)), "must come once"),
        ((("A", 0.5), ("B", 0.4)), "must add up to 1, was 0.900000"),
        ((("A", 1.5),), "less than or equal to 1"),
    ],
)
async def test_index_that_is_not_whole_is_refused_and_nothing_is_stored(
    world: World, rows: tuple[tuple[str, float], ...], said: str
) -> None:
    answer = await _load(world, "2022-01-03", *rows)

    assert answer.status_code == 422
    assert said in answer.text
    assert await world.items(f"/universes/{world.prefix}IX") == []


async def _told(world: World, *symbols: str) -> list[tuple[str, dict[str, float]]]:
    """Run a night, and return the days and weights of the lists of this world that it has told."""
    announced = await world.run(*symbols, last=LAST)
    lists = [each for event in announced.profiles for each in event.constituents]
    return [
        (
            str(each.as_of),
            {
                symbol.removeprefix(world.prefix): weight
                for symbol, weight in zip(each.symbols, each.weights, strict=True)
            },
        )
        for each in lists
        if each.universe.startswith(world.prefix)
    ]


async def test_list_is_told_by_one_run_and_again_once_it_is_loaded_again(world: World) -> None:
    (await _load(world, "2022-01-03", ("B", 0.4), ("A", 0.6))).raise_for_status()
    (await _load(world, "2022-07-01", ("A", 1.0))).raise_for_status()

    first, second = await _told(world, "A"), await _told(world, "A")
    (await _load(world, "2022-01-03", ("A", 0.5), ("B", 0.5))).raise_for_status()
    third = await _told(world, "A")

    assert first == [("2022-01-03", {"A": 0.6, "B": 0.4}), ("2022-07-01", {"A": 1.0})]
    assert second == []
    assert third == [("2022-01-03", {"A": 0.5, "B": 0.5})]


async def test_run_tells_as_many_lists_as_a_message_takes_the_newest_first(world: World) -> None:
    rows = [(f"S{number}", 1 / 6_000) for number in range(6_000)]
    for day in ("2022-01-03", "2022-02-01", "2022-03-01"):
        (await _load(world, day, *rows)).raise_for_status()

    told = [[day for day, _ in await _told(world, "A")] for _ in range(4)]

    assert told == [["2022-03-01"], ["2022-02-01"], ["2022-01-03"], []]
