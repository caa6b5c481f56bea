"""Bars judged beside what is stored: held, confirmed and corrected, whatever the order in which they come."""

import csv
from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from services.market_data.core.findings import JUDGED
from services.market_data.providers.chain import ProviderChain
from services.market_data.updating.bars import refresh_bars
from shared.calendar import sessions_between
from shared.clock import FixedClock, SessionClock
from shared.contracts.market_data import MarketDataDue
from shared.contracts.run import ONLY_PART
from tests.integration.market_data.conftest import NOW, Announced, AskedProvider, World
from tests.support.runs import make_run

SESSIONS = sessions_between(date(2022, 11, 28), date(2022, 12, 28))
LAST = SESSIONS[-1]

Line = tuple[Any, ...]  # symbol, date, close, dividend, split, adj_close


def write(directory: Path, *lines: Line) -> None:
    with (directory / "prices.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("symbol", "date", "close", "dividend", "split", "adj_close"))
        writer.writerows(lines)


def lines(symbol: str, closes: Iterable[float], last: date = LAST) -> list[Line]:
    """Return closes on the sessions that end at the last one."""
    values = list(closes)
    days = [day for day in SESSIONS if day <= last][-len(values) :]
    return [(symbol, day, close, "", "", "") for day, close in zip(days, values, strict=True)]


async def fetch(world: World, symbol: str, first: date, last: date) -> None:
    """Fetch a stretch of a symbol, as a shard of a run does."""
    run = make_run(first_session=last, last_session=last, symbols=(symbol,))
    due = MarketDataDue(run=run, part=ONLY_PART, symbols=(symbol,), fetch_first=first, fetch_last=last)
    clock = SessionClock(FixedClock(NOW))
    async with world.service.unit_of_work() as uow:
        await refresh_bars(due, uow, ProviderChain(world.providers), clock)


async def watch(world: World, *symbols: str) -> None:
    await world.plan(make_run(first_session=LAST, last_session=LAST, symbols=symbols))


async def kept(world: World, symbol: str) -> list[list[Any]]:
    """Return what is stored of a symbol: the bars that count, those that were delivered otherwise, and what is said."""
    bars = (
        "SELECT session, close, split, dividend, round(adjusted::numeric, 9) "
        "FROM {} JOIN instruments USING (symbol_id) WHERE symbol = :symbol ORDER BY session"
    )
    found = "SELECT day, rule, value, detail FROM findings WHERE symbol = :symbol ORDER BY day, rule"
    queries = (bars.format("bars"), bars.format("delivered_bars"), found)
    return [[tuple(row) for row in await world.rows(query, symbol=symbol)] for query in queries]


def drawn(random: Random, symbol: str) -> list[Line]:
    """Return a history with a few jumps, halts, dividends, and splits that are given, missing or wrong."""
    splits, jumps, spikes, dividends = (random.choice([0.0, 0.0, 0.05, 0.1]) for _ in range(4))
    level, factor, adjusted, bars = 20.0, 1.0, random.random() < 0.5, list[Line]()
    for day in SESSIONS:
        if random.random() < 0.15:
            continue
        split = random.choice([4.0, 0.05, 1.5]) if random.random() < splits else 1.0
        factor *= split
        level *= random.choice([1.0, 1.01, 0.99, 1.1]) / split
        level *= random.choice([40.0, 0.02]) if random.random() < jumps else 1.0
        close = round(level * (random.choice([50.0, 0.01]) if random.random() < spikes else 1.0), 6)
        dividend = round(level / 10.0, 4) if random.random() < dividends else ""
        told = random.choice([split, 1.0])
        bars.append((symbol, day, close, dividend, told, round(close * factor, 6) if adjusted else ""))
    return bars


@pytest.mark.parametrize("seed", range(25))
async def test_verdicts_do_not_depend_on_how_a_history_is_cut_nor_on_the_order_in_which_it_comes(
    world: World, tmp_path: Path, seed: int
) -> None:
    random, whole, cut = Random(seed), world.name("WHOLE"), world.name("CUT")  # noqa: S311
    history = drawn(random, whole)
    write(tmp_path, *history, *((cut, *line[1:]) for line in history))
    await watch(world, whole, cut)
    await fetch(world, whole, SESSIONS[0], LAST)

    edges = [0, *sorted(random.sample(range(1, len(SESSIONS)), 3)), len(SESSIONS)]
    windows = [
        (SESSIONS[max(begin - random.choice([0, 1, 3]), 0)], SESSIONS[end - 1]) for begin, end in pairwise(edges)
    ]
    random.shuffle(windows)
    for first, last in windows:
        await fetch(world, cut, first, last)

    assert await kept(world, cut) == await kept(world, whole), windows


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(
    "history",
    [
        [(100, "", ""), (100, "", ""), (100, "", ""), (5, "", "")],  # a jump right at the cut
        [(100, "", ""), (100, "", ""), (9999, "", 4), (25, "", "")],  # the split of a held bar is the next one's
        [(100, "", ""), (100, "", ""), (100, "", ""), (99, 1, "")],  # a dividend scales what is stored
        [(100, "", ""), (100, "", ""), (100, "", ""), (101, "", 4)],  # a split without a move
    ],
)
async def test_bars_are_judged_beside_those_on_the_other_side_of_a_cut(
    world: World, tmp_path: Path, history: list[Line], backward: bool
) -> None:
    whole, cut, days = world.name("WHOLE"), world.name("CUT"), SESSIONS[-4:]
    bars = [(symbol, day, *bar, "") for symbol in (whole, cut) for day, bar in zip(days, history, strict=True)]
    write(tmp_path, *bars)
    await watch(world, whole, cut)
    await fetch(world, whole, days[0], days[3])

    windows = [(days[0], days[2]), (days[3], days[3])]
    for first, last in reversed(windows) if backward else windows:
        await fetch(world, cut, first, last)

    assert await kept(world, cut) == await kept(world, whole)


async def nights(world: World, tmp_path: Path, name: str, closes: list[float], *, until: int) -> Announced:
    """Run night after night, each with one close more, from the first close on; return what the last one announced."""
    announced = None
    for count in range(until, len(closes) + 1):
        day = SESSIONS[count - 1]
        write(tmp_path, *lines(name, closes[:count], day), *lines(world.market, [100.0] * count, day))
        announced = await world.run(name, last=day)
    assert announced is not None
    return announced


def corrections(announced: Announced, symbol: str) -> list[tuple[date, date | None]]:
    return [
        (entry.first_session, entry.last_session)
        for event in announced.prices
        for entry in event.corrections
        if entry.symbol == symbol
    ]


def held_of(announced: Announced, symbol: str) -> list[date]:
    """Return the sessions whose closes are announced as held."""
    return [each.session for event in announced.prices for each in event.held or () if each.symbol == symbol]


async def findings(world: World, symbol: str) -> list[tuple[str, str]]:
    found = await world.items("/findings", symbol=symbol)
    return [(entry["day"], entry["rule"]) for entry in found if entry["rule"] in JUDGED]


async def test_crash_is_held_two_nights_long_and_then_corrected(world: World, tmp_path: Path) -> None:
    name, quiet = world.name("CRASH"), [100.0, 101.0, 102.0, 103.0]

    first = await nights(world, tmp_path, name, [*quiet, 5.0], until=4)
    held = {name: (await findings(world, name))}
    second = await nights(world, tmp_path, name, [*quiet, 5.0, 5.5], until=6)
    third = await nights(world, tmp_path, name, [*quiet, 5.0, 5.5, 4.8], until=7)

    detail = "held as UNEXPLAINED_JUMP of 2022-12-02: close 5.0 after 103.0, split 1, dividend 0.0"
    assert first.failures() == {name: detail}
    assert held == {name: [(str(SESSIONS[4]), "UNEXPLAINED_JUMP")]}
    assert [held_of(announced, name) for announced in (first, second, third)] == [SESSIONS[4:5], SESSIONS[4:6], []]
    assert second.failures().keys() == {name}
    assert third.failures() == {}
    assert corrections(third, name) == [(SESSIONS[4], SESSIONS[5])]
    assert third.sessions_of(name) == SESSIONS[4:7]
    assert await findings(world, name) == []


async def test_close_that_counted_and_turns_out_to_be_no_beginning_is_taken_back(world: World, tmp_path: Path) -> None:
    name = world.name("FIRST")

    announced = await nights(world, tmp_path, name, [9_000.0, 100.0, 101.0, 102.0], until=1)

    assert [bar.close for bar in await world.bars(name)] == [100.0, 101.0, 102.0]
    assert corrections(announced, name) == [(SESSIONS[0], SESSIONS[2])]
    (block,) = (block for block in announced.blocks if name in block.symbols)
    assert block.close[block.symbols.index(name)][block.sessions.index(SESSIONS[0])] is None
    assert await findings(world, name) == [(str(SESSIONS[0]), "UNEXPLAINED_JUMP")]


async def test_close_that_another_provider_has_within_two_percent_is_no_longer_held(
    world: World, tmp_path: Path
) -> None:
    agreed, alone = world.name("AGREED"), world.name("ALONE")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write(tmp_path, *lines(agreed, [100, 100, 100, 5]), *lines(alone, [100, 100, 100, 5]), *lines(world.market, [1, 1]))
    write(elsewhere, *lines(agreed, [100, 100, 100, 5.09]), *lines(alone, [100, 100, 100, 5.2]))
    world.providers.append(AskedProvider(elsewhere, "elsewhere"))

    announced = await world.run(agreed, alone, last=LAST)

    assert announced.failures().keys() == {alone}
    assert [bar.close for bar in await world.bars(agreed)] == [100.0, 100.0, 100.0, 5.0]
    decided = await world.rows("SELECT symbol, session, decision, value, decided_by, why FROM rulings")
    assert [tuple(row) for row in decided if row.symbol in (agreed, alone)] == [
        (agreed, LAST, "accept", 5.0, "provider elsewhere", "its close is within 2 %")
    ]


async def test_symbol_whose_every_row_is_bad_is_missing_with_its_findings_and_the_next_provider_is_asked(
    world: World, tmp_path: Path
) -> None:
    bad, unread, served = world.name("BADR"), world.name("UNREAD"), world.name("SERVED")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    rows = [(symbol, day, close, "", "", "") for symbol in (bad, served) for day, close in zip(SESSIONS, ("abc", "-5"))]  # noqa: B905
    write(tmp_path, *rows, (unread, LAST, "abc", "", "", ""), *lines(world.market, [1, 1]))
    write(elsewhere, *lines(served, [7.0]))
    world.providers.append(AskedProvider(elsewhere, "elsewhere"))

    announced = await world.run(bad, unread, served, last=LAST)

    said = announced.failures()
    assert said.keys() == {bad, unread}
    assert "files: its rows were rejected: 1 NON_POSITIVE_CLOSE, 1 UNPARSABLE_NUMBER" in said[bad]
    assert "files: its rows were rejected: 1 UNPARSABLE_NUMBER" in said[unread]
    assert [bar.close for bar in await world.bars(served)] == [7.0]
