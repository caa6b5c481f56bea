"""Runs of market_data from the trigger to the announcement, on real PostgreSQL and real files."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from services.market_data.core.window import planning_window
from services.market_data.providers.provider import FetchedBars, ProviderError
from shared.calendar import sessions_between, shift_session
from shared.contracts.market_data import PricesUpdated
from shared.conventions import HISTORY_DAYS
from tests.integration.market_data.conftest import AskedProvider, World
from tests.support.price_directories import PriceDirectory
from tests.support.runs import make_run

LAST = date(2022, 12, 28)
BEFORE = shift_session(LAST, -1)
WEEK_AGO = shift_session(LAST, -6)


def stock(world: World, *symbols: str, last: date = LAST) -> list[str]:
    """Give these symbols and the market's proxy prices up to a session, and write the file."""
    names = [world.name(symbol) for symbol in symbols]
    world.directory.add(world.market, *names, last=last)
    world.directory.write()
    return names


async def test_symbol_never_seen_is_backfilled_over_the_whole_window(world: World) -> None:
    (name,) = stock(world, "NEW")

    announced = await world.run(name, last=LAST)

    window = planning_window(LAST, LAST).tolist()
    assert [(due.fetch_first, due.fetch_last) for due in announced.due] == [(window[0], LAST)]
    assert announced.sessions_of(name) == window
    assert announced.sessions_of(world.market) == window
    assert [bar.session for bar in await world.bars(name)] == window


async def test_parts_of_a_run_number_its_shards_and_hold_every_symbol_once(world: World) -> None:
    known = stock(world, "KNOWN")
    await world.run(*known, last=BEFORE)
    names = [*known, *stock(world, "NEW1", "NEW2")]

    due = await world.plan(make_run(first_session=LAST, last_session=LAST, symbols=tuple(names)))

    assert [(shard.part.index, shard.part.total) for shard in due] == [(index, len(due)) for index in range(len(due))]
    assert sorted(symbol for shard in due for symbol in shard.symbols) == sorted([world.market, *names])
    assert len(due) == 2, "the increment and the backfill are different work"


async def test_second_run_of_a_session_is_announced_from_the_store(world: World) -> None:
    (name,) = stock(world, "AGAIN")
    await world.run(name, last=LAST)
    asked = len(world.providers[0].asked)

    announced = await world.run(name, last=LAST)

    assert len(world.providers[0].asked) == asked
    assert {due.fetch_first for due in announced.due} == {None}
    assert announced.sessions_of(name) == [LAST]


@pytest.mark.parametrize("since", [BEFORE, WEEK_AGO, shift_session(LAST, -25)])
async def test_missing_sessions_are_fetched_from_one_session_before_the_first_of_them(
    world: World, since: date
) -> None:
    (name,) = stock(world, "GAP")
    await world.run(name, last=since)

    announced = await world.run(name, last=LAST)

    assert [(due.fetch_first, due.fetch_last) for due in announced.due] == [(since, LAST)]
    assert announced.sessions_of(name) == sessions_between(since + timedelta(days=1), LAST)
    assert len(await world.bars(name)) == len(planning_window(since, LAST))


async def test_more_than_thirty_missing_sessions_are_a_backfill(world: World) -> None:
    (name,) = stock(world, "LONG")
    await world.run(name, last=shift_session(LAST, -31))

    announced = await world.run(name, last=LAST)

    assert [due.fetch_first for due in announced.due] == [planning_window(LAST, LAST)[0].item()]


async def test_book_opened_long_ago_has_the_history_of_its_symbols_kept_from_before_its_opening(world: World) -> None:
    opened_on = shift_session(LAST, -700)
    name = world.name("OLD")
    world.directory.add(world.market, name, first=planning_window(opened_on, LAST)[0].item(), last=LAST)
    world.directory.write()

    announced = await world.run(name, last=LAST, opened_on=opened_on)

    window = planning_window(LAST, LAST, opened_on=opened_on).tolist()
    assert window[0] <= opened_on - timedelta(days=HISTORY_DAYS - 5)
    assert announced.sessions_of(name) == window
    assert [bar.session for bar in await world.bars(name)] == window
    # What is settled is not asked for again, by a night that needs less of it.
    asked = len(world.providers[0].asked)
    await world.run(name, last=LAST)
    assert len(world.providers[0].asked) == asked


@pytest.mark.parametrize("action", ["split", "dividend"])
async def test_new_split_or_dividend_announces_the_whole_history_of_that_symbol_in_a_block_of_its_own(
    world: World, action: str
) -> None:
    name, other = stock(world, "RESTATED", "CALM", last=LAST)
    await world.run(name, other, last=BEFORE)
    before = {bar.session: bar for bar in await world.bars(name)}
    if action == "split":
        world.directory.splits[name, LAST] = 2.0
        world.directory.closes[name][LAST] /= 2.0
    else:
        world.directory.dividends[name, LAST] = 1.5
    world.directory.write()

    announced = await world.run(name, other, last=LAST)

    whole = [block for block in announced.blocks if len(block.sessions) > 100]
    assert [block.symbols for block in whole] == [(name,)]
    assert list(whole[0].sessions) == planning_window(BEFORE, LAST).tolist(), "older than this run's window, too"
    assert announced.sessions_of(other) == [LAST]
    after = {bar.session: bar for bar in await world.bars(name)}
    factor = after[BEFORE].adjusted / before[BEFORE].adjusted
    assert factor == pytest.approx(0.5 if action == "split" else 1 - 1.5 / before[BEFORE].close)
    for session, bar in before.items():
        assert after[session].close == bar.close
        assert after[session].adjusted == pytest.approx(bar.adjusted * factor)
    actions = {symbol: value for event in announced.prices for symbol, _, value in _actions(event, action)}
    assert actions == {name: 2.0 if action == "split" else 1.5}


def _actions(event: object, action: str) -> list[tuple[str, date, float]]:
    found = getattr(event, f"{action}s")
    return [(entry.symbol, entry.session, entry.value) for entry in found]


async def test_symbol_that_another_provider_answers_for_is_replaced_over_its_whole_history(
    world: World, tmp_path: Path
) -> None:
    (name,) = stock(world, "MOVED")
    await world.run(name, last=BEFORE)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "prices.csv").write_text((tmp_path / "prices.csv").read_text())
    world.providers = [AskedProvider(elsewhere, "elsewhere")]

    announced = await world.run(name, last=LAST)

    assert sorted(set(announced.sessions_of(name))) == planning_window(BEFORE, LAST).tolist()
    histories = [block.symbols for block in announced.blocks if len(block.sessions) > 100]
    assert sorted(histories) == sorted([(name,), (world.market,)])


async def test_unknown_symbol_is_announced_with_what_every_provider_said_and_not_asked_for_again(
    world: World, tmp_path: Path
) -> None:
    stock(world)
    unknown = world.name("NOBODY")
    second = tmp_path / "second"
    second.mkdir()
    (second / "prices.csv").write_text("symbol,date,close\n")
    world.providers.append(AskedProvider(second, "second"))

    first = await world.run(unknown, last=BEFORE)
    asked = len(world.providers[1].asked)
    again = await world.run(unknown, last=BEFORE)

    said = f"no provider serves {unknown} (files: not in prices.csv; second: not in prices.csv)"
    assert first.failures() == again.failures() == {unknown: said}
    assert len(world.providers[1].asked) == asked == 1
    assert await world.bars(unknown) == []


def _spoil(world: World, name: str, *days: date) -> None:
    """Give a symbol prices that cannot be on these days."""
    world.directory.closes[name] |= dict.fromkeys(days, -1.0)
    world.directory.write()


async def test_symbol_whose_row_of_the_session_is_bad_has_failed_with_the_rule_and_keeps_its_history(
    world: World,
) -> None:
    (name,) = stock(world, "SPOILT")
    await world.run(name, last=BEFORE)
    stored = await world.bars(name)
    _spoil(world, name, LAST)

    announced = await world.run(name, last=LAST)

    said = f"no provider serves {name} (files: its rows were rejected: 1 NON_POSITIVE_CLOSE)"
    assert announced.failures() == {name: said}
    assert await world.bars(name) == stored
    run_id = str(announced.prices[0].run.run_id)
    (found,) = (await world.get("/findings", symbol=name, run_id=run_id))["items"]
    assert (found["rule"], found["day"]) == ("NON_POSITIVE_CLOSE", str(LAST))
    assert await world.get("/findings/counts", run_id=run_id) == {
        "findings": 1,
        "rules": [{"rule": "NON_POSITIVE_CLOSE", "findings": 1, "symbols": 1}],
    }


@pytest.mark.parametrize("since", [None, BEFORE])
async def test_symbol_whose_row_of_the_session_is_bad_is_taken_whole_from_the_next_provider(
    world: World, tmp_path: Path, since: date | None
) -> None:
    (name,) = stock(world, "TURNED")
    if since is not None:
        await world.run(name, last=since)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "prices.csv").write_text((tmp_path / "prices.csv").read_text())
    world.providers.append(AskedProvider(elsewhere, "elsewhere"))
    _spoil(world, name, LAST)

    announced = await world.run(name, last=LAST)

    assert announced.failures() == {}
    bars = await world.bars(name)
    assert [bar.session for bar in bars] == planning_window(since or LAST, LAST).tolist()
    sources = {source for block in announced.blocks for source in block.sources if name in block.symbols}
    assert "elsewhere" in sources
    assert [found["provider"] for found in (await world.get("/findings", symbol=name))["items"]] == ["files"]


async def test_symbol_with_a_bad_row_among_good_ones_of_the_run_is_served(world: World) -> None:
    (name,) = stock(world, "ONCE")
    _spoil(world, name, LAST)

    announced = await world.run(name, first=BEFORE, last=LAST)

    assert announced.failures() == {}
    assert announced.sessions_of(name)[-1] == BEFORE


async def test_symbol_that_a_completed_file_brings_is_asked_for_again_at_once(world: World) -> None:
    stock(world)
    late = world.name("LATE")
    assert (await world.run(late, last=LAST)).failures().keys() == {late}

    world.directory.add(late, last=LAST)
    world.directory.write()
    announced = await world.run(late, last=LAST)

    assert announced.failures() == {}
    assert announced.sessions_of(late) == planning_window(LAST, LAST).tolist()


async def test_unreadable_file_settles_nothing(world: World) -> None:
    (name,) = stock(world, "WAITS")
    world.directory.write(close="price")

    failed = await world.run(name, last=LAST)

    assert "must have a column 'close'" in failed.failures()[name]
    assert await world.rows("SELECT 1 FROM instruments WHERE symbol = :s AND checked_through IS NOT NULL", s=name) == []
    world.directory.write()
    assert (await world.run(name, last=LAST)).failures() == {}


async def test_profiles_are_announced_when_they_change_and_only_then(world: World, tmp_path: Path) -> None:
    (name,) = stock(world, "PROFILED")
    profiles = tmp_path / "profiles.csv"
    profiles.write_text(f"symbol,sector\n{name},Energy\n")

    announced = [await world.run(name, last=shift_session(LAST, -3))]
    announced.append(await world.run(name, last=shift_session(LAST, -2)))
    profiles.write_text(f"symbol,sector\n{name},Utilities\n")
    announced.append(await world.run(name, last=BEFORE))

    sectors = [[profile.sector for event in run.profiles for profile in event.profiles] for run in announced]
    assert sectors == [["Energy"], [], ["Utilities"]]
    assert [len(run.profiles) for run in announced] == [len(run.due) for run in announced]


async def test_finding_that_is_seen_in_every_fetch_is_kept_once(world: World) -> None:
    name = world.name("DIRTY")
    world.directory.extra = [f"{name},2022-12-21,-1,,"]
    stock(world, "DIRTY")
    del world.directory.closes[name][date(2022, 12, 21)]
    world.directory.write()

    await world.run(name, last=date(2022, 12, 22))
    world.directory.closes[name][LAST] += 0.01
    world.directory.write()
    await world.run(name, last=LAST)

    found = await world.rows("SELECT rule, day, file FROM findings WHERE symbol = :symbol", symbol=name)
    assert [tuple(row) for row in found] == [("NON_POSITIVE_CLOSE", date(2022, 12, 21), "prices.csv")]
    assert [first <= date(2022, 12, 21) for _, first, _ in world.providers[0].asked] == [True, True]


async def test_young_symbol_is_announced_since_its_first_bar_and_not_backfilled_every_night(world: World) -> None:
    young, listed = world.name("YOUNG"), shift_session(LAST, -40)
    stock(world)
    world.directory.add(young, first=listed, last=LAST)
    world.directory.write()

    first = await world.run(young, last=BEFORE)
    second = await world.run(young, last=LAST)

    assert first.sessions_of(young) == sessions_between(listed, BEFORE)
    assert first.failures() == {}
    assert [due.fetch_first for due in second.due] == [BEFORE]
    assert second.sessions_of(young) == [LAST]


async def test_close_of_years_ago_does_not_judge_the_bars_of_today(world: World) -> None:
    (name,) = stock(world, "GREW")
    long_ago = date(2016, 3, 1)
    world.directory.closes[name] |= dict.fromkeys(sessions_between(date(2016, 1, 4), long_ago), 2.03)
    world.directory.write()
    await world.run(name, last=long_ago)

    announced = await world.run(name, last=LAST)

    assert announced.sessions_of(name) == planning_window(LAST, LAST).tolist()


async def test_bar_that_a_corrected_file_changes_is_replaced_when_its_session_is_run_again(world: World) -> None:
    name, calm = stock(world, "CORRECTED", "CALM")
    await world.run(name, calm, last=LAST)
    before = await world.bars(calm)
    world.directory.closes[name][LAST] += 1.0
    world.directory.write()

    announced = await world.run(name, calm, last=LAST)

    assert (await world.bars(name))[-1].close == world.directory.closes[name][LAST]
    assert LAST in announced.sessions_of(name)
    assert await world.bars(calm) == before, "an unchanged bar keeps when it was fetched"


async def a_service_s_edition(*_: object) -> str:
    return "only time changes its answers"


@pytest.mark.parametrize("sessions", [12, 24])
async def test_split_during_a_long_halt_restates_the_history_when_trading_resumes(
    world: World, sessions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AskedProvider, "edition", a_service_s_edition)
    (name,) = stock(world, "HALTED", last=shift_session(LAST, -sessions))
    world.directory.add(world.market, last=LAST)
    world.directory.write()
    for back in range(sessions, 0, -1):
        await world.run(name, last=shift_session(LAST, -back))
    halted_at = (await world.bars(name))[-1]
    world.directory.closes[name][LAST] = round(halted_at.close / 2.0, 2)
    world.directory.splits[name, LAST] = 2.0
    world.directory.write()

    await world.run(name, last=LAST)

    bars = {bar.session: bar for bar in await world.bars(name)}
    assert bars[halted_at.session].adjusted == pytest.approx(halted_at.adjusted / 2.0)


class ShortAnswers(AskedProvider):
    """A provider that breaks down over a long request."""

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        if (last - first).days > 100:
            raise ProviderError("too long")
        return await super().fetch_bars(symbols, first, last)


async def test_restated_history_holds_no_bar_of_the_provider_that_could_not_give_all_of_it(
    world: World, tmp_path: Path
) -> None:
    (name,) = stock(world, "MIXED", last=BEFORE)
    await world.run(name, last=BEFORE)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = PriceDirectory(elsewhere, {symbol: dict(closes) for symbol, closes in world.directory.closes.items()})
    other.closes[name][LAST] = other.closes[name][BEFORE]
    other.write()
    world.providers.insert(0, ShortAnswers(elsewhere, "elsewhere"))

    await world.run(name, last=LAST)

    assert {bar.source for bar in await world.bars(name)} == {"files"}
    assert (await world.bars(name))[-1].session == BEFORE, "only the other one has the new session"


async def test_restatement_that_no_provider_can_give_is_reported_and_asked_for_again(
    world: World, tmp_path: Path
) -> None:
    (name,) = stock(world, "BROKEN")
    await world.run(name, last=BEFORE)
    world.directory.splits[name, LAST] = 2.0
    world.directory.closes[name][LAST] /= 2.0
    world.directory.write()
    working, world.providers = world.providers, [ShortAnswers(tmp_path)]

    failed = await world.run(name, last=LAST)
    world.providers = working
    healed = await world.run(name, last=LAST)

    assert "too long" in failed.failures()[name]
    assert failed.sessions_of(name) == []
    assert healed.failures() == {}
    assert LAST in healed.sessions_of(name)


async def test_defect_e46_nulls_of_a_shorter_profile_overwrite_nothing_and_source_and_day_stay(
    world: World, tmp_path: Path
) -> None:
    (name,) = stock(world, "FORGETFUL")
    profiles = tmp_path / "profiles.csv"
    profiles.write_text(f"symbol,sector,employees,pe_ratio,last_updated\n{name},Energy,120,12.5,2022-12-23\n")
    await world.run(name, last=BEFORE)
    profiles.write_text(f"symbol,sector,employees,pe_ratio,last_updated\n{name},,,13.5,2022-12-28\n")

    announced = await world.run(name, last=LAST)

    (profile,) = [profile for event in announced.profiles for profile in event.profiles]
    assert (profile.sector, profile.employees, profile.pe_ratio) == ("Energy", 120, 13.5)
    (row,) = await world.rows("SELECT sector, pe_ratio, origins FROM profiles WHERE symbol = :symbol", symbol=name)
    assert (row.sector, row.pe_ratio) == ("Energy", 13.5)
    assert (row.origins["sector"][2], row.origins["pe_ratio"][2]) == ("2022-12-23", "2022-12-28")
    shown = await world.get(f"/profiles/{name}")
    assert (shown["profile"]["employees"], shown["source"]) == (120, "files")
    assert shown["origins"]["employees"]["dated"] == "2022-12-23"


async def test_bytes_of_a_run_are_linear_in_its_symbols_and_its_portfolios(world: World) -> None:
    async def bytes_of(symbols: int, portfolios: int) -> tuple[int, int]:
        run = make_run(
            first_session=LAST,
            last_session=LAST,
            symbols=tuple(world.name(f"N{place:05d}") for place in range(symbols)),
            portfolio_ids=tuple(uuid4() for _ in range(portfolios)),
        )
        due = await world.plan(run)
        follows = (prices for shard in due for prices in (PricesUpdated(run=shard.run, part=shard.part),))
        (written,) = await world.rows("SELECT sum(length(value)) AS size FROM outbox WHERE run_id = :id", id=run.run_id)
        return written.size + sum(len(event.model_dump_json()) for event in follows), len(due)

    (one, parts), (more, more_parts) = await bytes_of(400, 10), await bytes_of(4_000, 100)

    assert more_parts >= 9 * parts
    assert more == pytest.approx(10 * one, rel=0.1)
