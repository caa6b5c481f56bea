"""Corrections and sources of prices, from the file to the announcement, on real PostgreSQL and real files."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from services.market_data.handlers.fetch_shard import fetch_shard
from services.market_data.providers.chain import ProviderChain
from shared.calendar import shift_session
from shared.clock import FixedClock, SessionClock
from tests.integration.market_data.conftest import NOW, Announced, AskedProvider, World
from tests.support.price_directories import PriceDirectory
from tests.support.runs import make_run

LAST = date(2022, 12, 28)
BEFORE = shift_session(LAST, -1)
SPOILT, AFTER = shift_session(LAST, -10), shift_session(LAST, -9)


def stock(world: World, *symbols: str) -> list[str]:
    """Give these symbols and the market's proxy prices up to the last session, and write the file."""
    names = [world.name(symbol) for symbol in symbols]
    world.directory.add(world.market, *names, last=LAST)
    world.directory.write()
    return names


def corrections(announced: Announced) -> dict[str, tuple[date, date | None]]:
    return {
        entry.symbol: (entry.first_session, entry.last_session)
        for event in announced.prices
        for entry in event.corrections
    }


def sources(announced: Announced) -> dict[str, set[str | None]]:
    found: dict[str, set[str | None]] = {}
    for block in announced.blocks:
        for symbol, source in zip(block.symbols, block.sources, strict=True):
            found.setdefault(symbol, set()).add(source)
    return found


def corrected_close(prices: PriceDirectory, symbol: str) -> None:
    prices.closes[symbol][SPOILT] += 1.0


def corrected_split(prices: PriceDirectory, symbol: str) -> None:
    prices.splits[symbol, SPOILT] = 2.0
    prices.closes[symbol] |= {day: close / 2.0 for day, close in prices.closes[symbol].items() if day >= SPOILT}


def corrected_dividend(prices: PriceDirectory, symbol: str) -> None:
    prices.dividends[symbol, SPOILT] = 0.75


@pytest.mark.parametrize(
    ("correct", "last"), [(corrected_close, AFTER), (corrected_split, LAST), (corrected_dividend, SPOILT)]
)
async def test_corrected_bar_is_announced_as_such_when_its_session_is_run_again(
    world: World, correct: Callable[[PriceDirectory, str], None], last: date
) -> None:
    name, calm = stock(world, "CORRECTED", "CALM")
    night = await world.run(name, calm, last=LAST)
    correct(world.directory, name)
    world.directory.write()

    announced = await world.run(name, calm, first=SPOILT, last=LAST)
    again = await world.run(name, calm, first=SPOILT, last=LAST)

    assert corrections(night) == {}
    assert corrections(announced) == {name: (SPOILT, last)}
    assert corrections(again) == {}, "what is stored now is what was announced"


async def test_correction_before_the_run_s_sessions_is_found_with_the_history_that_it_restates(world: World) -> None:
    (name,) = stock(world, "RESTATED")
    await world.run(name, last=BEFORE)
    corrected_close(world.directory, name)
    world.directory.dividends[name, LAST] = 1.5
    world.directory.write()

    announced = await world.run(name, last=LAST)

    assert corrections(announced) == {name: (SPOILT, AFTER)}


async def test_new_dividend_rescales_the_history_and_announces_no_correction(world: World) -> None:
    (name,) = stock(world, "PAYS")
    await world.run(name, last=BEFORE)
    world.directory.dividends[name, LAST] = 1.5
    world.directory.write()

    announced = await world.run(name, last=LAST)

    assert len(announced.sessions_of(name)) > 200, "the history is restated"
    assert corrections(announced) == {}


async def test_history_that_costs_a_request_is_restated_from_what_is_stored(world: World) -> None:
    (name,) = stock(world, "PAYS")
    world.providers = [AskedProvider(world.directory.path, "massive")]
    await world.run(name, last=BEFORE)
    before = {bar.session: bar for bar in await world.bars(name)}
    world.directory.dividends[name, LAST] = 1.5
    world.directory.write()

    announced = await world.run(name, last=LAST)

    assert world.providers[0].asked[-1][1:] == (BEFORE, LAST), "nothing else was asked for"
    assert min(announced.sessions_of(name)) == min(before), "the whole history is announced"
    after = {bar.session: bar for bar in await world.bars(name)}
    paid = 1.0 - 1.5 / before[BEFORE].close
    assert all(after[day].adjusted == pytest.approx(bar.adjusted * paid) for day, bar in before.items())


async def test_bar_that_was_missing_when_its_session_was_run_is_announced_as_a_correction(world: World) -> None:
    (name,) = stock(world, "LATE")
    late = world.directory.closes[name].pop(BEFORE)
    world.directory.write()
    await world.run(name, last=BEFORE)
    world.directory.closes[name][BEFORE] = late
    world.directory.write()

    announced = await world.run(name, last=LAST)

    assert corrections(announced) == {name: (BEFORE, BEFORE)}


async def test_shard_that_fails_after_the_fetch_announces_the_correction_when_it_is_delivered_again(
    world: World,
) -> None:
    (name,) = stock(world, "RETRIED")
    await world.run(name, last=LAST)
    corrected_close(world.directory, name)
    world.directory.write()
    run = make_run(first_session=SPOILT, last_session=LAST, symbols=(name,))
    shards = await world.plan(run)

    async def deliver(*, breaks: bool) -> None:
        for due in shards:
            async with world.service.unit_of_work() as uow:
                await fetch_shard(due, uow, chain=ProviderChain(world.providers), clock=SessionClock(FixedClock(NOW)))
                if breaks:
                    raise InterruptedError

    with pytest.raises(InterruptedError):
        await deliver(breaks=True)
    await deliver(breaks=False)

    assert corrections(await world.announced(run)) == {name: (SPOILT, AFTER)}


async def test_bars_carry_the_provider_that_gave_the_whole_history(world: World, tmp_path: Path) -> None:
    (name,) = stock(world, "MOVED")
    await world.run(name, last=BEFORE)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "prices.csv").write_text((tmp_path / "prices.csv").read_text())
    stayed = await world.run(name, last=LAST)
    world.providers = [AskedProvider(elsewhere, "elsewhere")]

    moved = await world.run(name, world.name("NOBODY"), last=LAST)
    asked = len(world.providers[0].asked)
    again = await world.run(name, last=LAST)

    assert sources(stayed)[name] == {"files"}
    assert sources(moved) == {name: {"elsewhere"}, world.market: {"elsewhere"}, world.name("NOBODY"): {None}}
    assert {bar.source for bar in await world.bars(name)} == {"elsewhere"}, "one provider a history"
    assert corrections(moved) == {}, "the numbers are the same"
    assert len(world.providers[0].asked) == asked, "nothing is left to restate"
    assert sources(again)[name] == {"elsewhere"}


async def test_close_of_a_vendor_that_another_provider_has_otherwise_is_a_finding_with_both(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.market_data.core.second_origin.ROUNDS", 1)
    same, other = stock(world, "SAME", "OTHER")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    second = PriceDirectory(elsewhere, {symbol: dict(closes) for symbol, closes in world.directory.closes.items()})
    own = second.closes[other][LAST]
    second.closes[other][LAST] = round(own * 1.01, 2)
    second.write()
    world.providers = [AskedProvider(tmp_path, "massive"), AskedProvider(elsewhere, "tiingo")]

    await world.run(same, other, last=LAST)

    findings = [
        found
        for symbol in (same, other)
        for found in await world.items("/findings", rule="ORIGINS_DIFFER", symbol=symbol)
    ]
    assert [(found["symbol"], found["day"], found["value"]) for found in findings] == [(other, str(LAST), own)]
    assert findings[0]["detail"] == f"close {own:g} from massive, {second.closes[other][LAST]:g} from tiingo"
    assert (await world.bars(other))[-1].close == own
    assert world.providers[1].asked == [((world.market, other, same), LAST, LAST)], "of the newest session only"
