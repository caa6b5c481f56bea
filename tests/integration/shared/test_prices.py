"""The price replica and its in-memory panel on real PostgreSQL."""

import asyncio
import tracemalloc
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import permutations

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.calendar import FIRST_SESSION, all_sessions, sessions_between, shift_session
from shared.contracts.market_data import CorporateAction, Correction, PriceBlock, PricesUpdated
from shared.contracts.run import ONLY_PART, Part
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.prices import panel as panels
from shared.prices.corrections import CorrectedBars, load_corrections, store_corrections
from shared.prices.ddl import CHECKED_BY_STATEMENT, PRICE_TABLES, REVISED, SOURCE_COLUMN, TAKEN_BACK
from shared.prices.last_prices import LastPrice, load_last_prices
from shared.prices.panel import PricePanel
from shared.prices.store import store_bars
from tests.support.runs import make_run

SESSIONS = tuple(sessions_between(date(2025, 3, 10), date(2025, 3, 14)))
LAST = SESSIONS[-1]


def _prices(
    rows: dict[str, Sequence[float | None]],
    *,
    sessions: Sequence[date] = SESSIONS,
    **actions: tuple[CorporateAction, ...],
) -> PricesUpdated:
    close = tuple(tuple(row) for row in rows.values())
    adjusted = tuple(tuple(None if value is None else value / 2 for value in row) for row in close)
    block = PriceBlock(sessions=tuple(sessions), symbols=tuple(rows), close=close, adjusted=adjusted)
    return PricesUpdated(run=make_run(), part=ONLY_PART, blocks=(block,), **actions)


async def _store(unit_of_work: UnitOfWorkFactory, event: PricesUpdated) -> int:
    async with unit_of_work() as uow:
        return await store_bars(uow.connection, event)


async def _close(panel: PricePanel, symbol: str, *, sessions: int = 5) -> list[float | None]:
    await panel.refresh()
    column = panel.window([symbol], last=LAST, sessions=sessions).close[:, 0]
    return [None if np.isnan(value) else float(value) for value in column]


async def test_store_bars_and_panel_return_what_the_event_said(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    event = _prices(
        {"AAA": [10.0, 11.0, None, 13.0, 14.1], "BBB": [1.0, 2.0, 3.0, 4.0, 5.0]},
        splits=(CorporateAction(symbol="AAA", session=SESSIONS[1], value=4.0),),
        dividends=(CorporateAction(symbol="BBB", session=SESSIONS[3], value=0.25),),
    )
    assert await _store(unit_of_work, event) == 9
    panel = PricePanel(engine)
    await panel.refresh()

    window = panel.window(["BBB", "NONE", "AAA"], last=LAST, sessions=5)

    assert window.sessions.tolist() == list(SESSIONS)
    nan = np.nan
    np.testing.assert_array_equal(window.close.T, [[1.0, 2.0, 3.0, 4.0, 5.0], [nan] * 5, [10.0, 11.0, nan, 13.0, 14.1]])
    np.testing.assert_array_equal(window.adjusted.T[2], [5.0, 5.5, nan, 6.5, 7.05])
    np.testing.assert_array_equal(panel.adjusted(["BBB", "NONE", "AAA"], last=LAST, sessions=5), window.adjusted.T)
    np.testing.assert_array_equal(window.split.T, [[1.0] * 5, [1.0] * 5, [1.0, 4.0, 1.0, 1.0, 1.0]])
    np.testing.assert_array_equal(window.dividend.T, [[0.0, 0.0, 0.0, 0.25, 0.0], [0.0] * 5, [0.0] * 5])


async def test_store_bars_writes_only_what_differs(unit_of_work: UnitOfWorkFactory) -> None:
    assert await _store(unit_of_work, _prices({"DIFF": [1.0, 2.0, 3.0, 4.0, 5.0]})) == 5
    assert await _store(unit_of_work, _prices({"DIFF": [1.0, 2.0, 3.0, 4.0, 5.0]})) == 0
    assert await _store(unit_of_work, _prices({"DIFF": [1.0, 2.0, 3.5, None, 5.0]})) == 1


async def test_store_bars_of_new_symbols_at_once_gives_each_one_number(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    names = [f"N{index}" for index in range(20)]
    events = [
        _prices({name: [float(shard + 1)] * 5 for name in (names if shard % 2 else reversed(names))})
        for shard in range(4)
    ]

    await asyncio.gather(*(_store(unit_of_work, event) for event in events))

    async with engine.connect() as connection:
        found = await connection.scalar(sa.text("SELECT count(*) FROM price_symbols WHERE symbol LIKE 'N%'"))
    assert found == 20


async def test_panel_sees_a_transaction_that_began_earlier_and_committed_later(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    panel = PricePanel(engine)
    async with unit_of_work() as slow:
        await store_bars(slow.connection, _prices({"SLOW": [1.0] * 5}))
        # A later transaction commits, and the panel has seen it, before the earlier one ends.
        await _store(unit_of_work, _prices({"FAST": [2.0] * 5}))
        assert await _close(panel, "FAST") == [2.0] * 5
        assert await _close(panel, "SLOW") == [None] * 5

    assert await _close(panel, "SLOW") == [1.0] * 5


async def test_bar_that_is_corrected_to_none_is_taken_back_and_nothing_else_is(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    panel = PricePanel(engine)
    split = CorporateAction(symbol="GONE", session=SESSIONS[1], value=4.0)
    await _store(unit_of_work, _prices({"GONE": [1.0, 2.0, 3.0, 4.0, None]}, splits=(split,)))
    assert await _close(panel, "GONE") == [1.0, 2.0, 3.0, 4.0, None]
    correction = Correction(symbol="GONE", first_session=SESSIONS[1], last_session=SESSIONS[2])
    event = _prices({"GONE": [None, None, 3.5, None, None]})

    written = await _store(unit_of_work, event.model_copy(update={"corrections": (correction,)}))

    assert written == 2
    assert await _close(panel, "GONE") == [1.0, None, 3.5, 4.0, None]
    assert panel.window(["GONE"], last=LAST, sessions=5).split[:, 0].tolist() == [1.0] * 5
    async with engine.connect() as connection:
        (last,) = await load_last_prices(connection, ["GONE"], SESSIONS[1])
        assert (last.session, last.close) == (SESSIONS[0], 1.0)
        rows = await connection.scalar(
            sa.text("SELECT count(*) FROM price_bars JOIN price_symbols USING (symbol_id) WHERE symbol = 'GONE'")
        )
    assert rows == 4


def _said(symbol: str, close: float | None, *, revision: int) -> PricesUpdated:
    """Return what is announced of one session; None: that it has no bar any more."""
    bar = PriceBlock(
        sessions=(LAST,), symbols=(symbol,), close=((close,),), adjusted=((close,),), revisions=((revision,),)
    )
    split = CorporateAction(symbol=symbol, session=LAST, value=2.0, inferred=revision == 2)
    corrected = Correction(symbol=symbol, first_session=LAST, revision=revision)
    corrections = (corrected,) if close is None else ()
    return PricesUpdated(run=make_run(), part=ONLY_PART, blocks=(bar,), splits=(split,), corrections=corrections)


# The third says again what the first said: it is the newest all the same.
@pytest.mark.parametrize("order", list(permutations((1, 2, 3))), ids=str)
@pytest.mark.parametrize("second", [20.0, None], ids=["other", "none"])
@pytest.mark.parametrize("last", [10.0, None], ids=["bar", "taken back"])
async def test_bars_in_any_order_leave_the_newest_revision(
    unit_of_work: UnitOfWorkFactory,
    engine: AsyncEngine,
    order: tuple[int, ...],
    second: float | None,
    last: float | None,
) -> None:
    symbol = f"T{''.join(map(str, order))}.{'B' if second else 'N'}{'B' if last else 'N'}"
    said = {1: 10.0, 2: second, 3: last}
    panel = PricePanel(engine)

    for revision in order:
        await _store(unit_of_work, _said(symbol, said[revision], revision=revision))
        await panel.refresh()

    assert await _close(panel, symbol, sessions=1) == [last]
    query = sa.text("SELECT revision, inferred FROM price_bars JOIN price_symbols USING (symbol_id) WHERE symbol = :s")
    async with engine.connect() as connection:
        assert (await connection.execute(query, {"s": symbol})).all() == [(3, False)]


async def test_bars_announced_without_revisions_replace_one_another_and_none_with_one(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    panel = PricePanel(engine)
    for close in (10.0, 11.0, 10.0):
        await _store(unit_of_work, _prices({"OLD": [close]}, sessions=[LAST]))
        assert await _close(panel, "OLD", sessions=1) == [close]

    await _store(unit_of_work, _said("OLD", 12.0, revision=1))
    await _store(unit_of_work, _prices({"OLD": [10.0]}, sessions=[LAST]))

    assert await _close(panel, "OLD", sessions=1) == [12.0]


async def test_panel_sees_corrections(unit_of_work: UnitOfWorkFactory, engine: AsyncEngine) -> None:
    panel = PricePanel(engine)
    await _store(unit_of_work, _prices({"FIXED": [1.0, 2.0, 3.0, 4.0, 5.0]}))
    assert await _close(panel, "FIXED") == [1.0, 2.0, 3.0, 4.0, 5.0]

    await _store(unit_of_work, _prices({"FIXED": [1.0, 2.0, 30.0, 4.0, 5.0]}))

    assert await _close(panel, "FIXED") == [1.0, 2.0, 30.0, 4.0, 5.0]


async def test_panel_kept_up_to_date_equals_one_read_afresh_in_parts(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panels, "_READ_AT_ONCE", 3)
    kept = PricePanel(engine)
    generator = np.random.default_rng(7)
    for _ in range(25):
        first = date(2023, 1, 3) + timedelta(days=int(generator.integers(0, 700)))
        sessions = sessions_between(first, first + timedelta(days=int(generator.integers(3, 60))))
        symbols = generator.permutation([f"R{index}" for index in range(8)])[:3]
        rows = {str(symbol): generator.uniform(1.0, 100.0, len(sessions)).tolist() for symbol in symbols}
        acted = {(str(symbol), sessions[int(generator.integers(len(sessions)))]) for symbol in symbols}
        splits = tuple(CorporateAction(symbol=symbol, session=day, value=2.0) for symbol, day in sorted(acted))
        await _store(unit_of_work, _prices(rows, sessions=sessions, splits=splits, dividends=splits[:2]))
        await kept.refresh()

    afresh = PricePanel(engine)
    await afresh.refresh()
    wanted = [f"R{index}" for index in range(8)]
    for sessions_back in (1, 40, 900):
        mine, theirs = (panel.window(wanted, last=LAST, sessions=sessions_back) for panel in (kept, afresh))
        np.testing.assert_array_equal(mine.close, theirs.close)
        np.testing.assert_array_equal(mine.adjusted, theirs.adjusted)
        np.testing.assert_array_equal(mine.split, theirs.split)
        np.testing.assert_array_equal(mine.dividend, theirs.dividend)
    assert (mine.split == 2.0).any()
    assert (mine.dividend == 2.0).any()


async def test_panel_takes_sixteen_bytes_a_bar(unit_of_work: UnitOfWorkFactory, engine: AsyncEngine) -> None:
    sessions = sessions_between(date(2023, 1, 3), date(2024, 12, 31))
    rows: dict[str, Sequence[float | None]] = {f"MANY{number}": [1.0 + number] * len(sessions) for number in range(20)}
    await _store(unit_of_work, _prices(rows, sessions=sessions))
    panel = PricePanel(engine)

    tracemalloc.start()
    await panel.refresh()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    async with engine.connect() as connection:
        symbols = await connection.scalar(sa.text("SELECT count(*) FROM price_symbols"))
        first, last = (await connection.execute(sa.text("SELECT min(session), max(session) FROM price_bars"))).one()
    # Every session of every symbol, and room for the next month and a half; names and splits beside them.
    assert kept < 16 * symbols * (len(sessions_between(first, last)) + 32) * 1.1


async def test_panel_window_beyond_what_is_stored_has_no_bars(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    await _store(unit_of_work, _prices({"EDGE": [1.0, 2.0, 3.0, 4.0, 5.0]}))
    panel = PricePanel(engine)
    await panel.refresh()

    later = panel.window(["EDGE"], last=date(2026, 3, 13), sessions=3)
    overlapping = panel.window(["EDGE"], last=date(2025, 3, 17), sessions=3)
    earlier = panel.window(["EDGE"], last=shift_session(FIRST_SESSION, 1), sessions=300)

    assert np.isnan(later.close).all()
    np.testing.assert_array_equal(overlapping.close[:, 0], [4.0, 5.0, np.nan])
    assert earlier.close.shape == (2, 1)
    assert np.isnan(earlier.close).all()
    halves = panel.adjusted(["EDGE"], last=date(2025, 3, 17), sessions=3)
    np.testing.assert_array_equal(halves, [[2.0, 2.5, np.nan]])


async def test_panel_without_any_bar_gives_windows_without_bars(engine: AsyncEngine) -> None:
    window = PricePanel(engine).window(["AAA"], last=LAST, sessions=2)
    assert np.isnan(window.close).all()


async def test_panel_window_that_ends_on_no_session_is_refused(engine: AsyncEngine) -> None:
    with pytest.raises(ValueError, match="must be a session, was 2025-03-15"):
        PricePanel(engine).window(["AAA"], last=date(2025, 3, 15), sessions=2)


async def test_panel_given_only_bars_off_session_stays_usable(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    panel = PricePanel(engine)
    await panel.refresh()
    event = _prices({"WEEKEND": [1.0]}, sessions=[LAST])
    # No event can say so; a calendar of before may have had another session.
    (off_session,) = (block.model_copy(update={"sessions": (date(2025, 3, 15),)}) for block in event.blocks)
    await _store(unit_of_work, event.model_copy(update={"blocks": (off_session,)}))
    await panel.refresh()

    await _store(unit_of_work, _prices({"WEEKEND": [1.0, 2.0, 3.0, 4.0, 5.0]}))

    assert await _close(panel, "WEEKEND") == [1.0, 2.0, 3.0, 4.0, 5.0]


async def test_panel_refuses_bars_of_a_number_that_no_symbol_has(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    async with unit_of_work() as uow:
        await uow.connection.execute(sa.text(CHECKED_BY_STATEMENT))
        strange = "INSERT INTO price_bars (symbol_id, session, close, adjusted) VALUES (1000000, :session, 1, 1)"
        await uow.connection.execute(sa.text(strange), {"session": LAST})

    with pytest.raises(ValueError, match=r"must be of known symbols, were of the numbers \[1000000\]"):
        await PricePanel(engine).refresh()

    async with unit_of_work() as uow:
        await uow.connection.execute(sa.text("DELETE FROM price_bars WHERE symbol_id = 1000000"))


async def _sources(engine: AsyncEngine, *symbols: str) -> dict[str, str | None]:
    async with engine.connect() as connection:
        prices = await load_last_prices(connection, symbols, LAST)
    return {price.symbol: price.source for price in prices}


def _given_by(event: PricesUpdated, *sources: str | None) -> PricesUpdated:
    (block,) = event.blocks
    return event.model_copy(update={"blocks": (block.model_copy(update={"sources": sources}),)})


async def test_replica_knows_who_gives_a_symbol_until_somebody_else_does(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    event = _prices({"GIVEN": [1.0] * 5, "SILENT": [2.0] * 5})
    await _store(unit_of_work, _given_by(event, "files", None))
    assert await _sources(engine, "GIVEN", "SILENT") == {"GIVEN": "files", "SILENT": None}

    await _store(unit_of_work, event)
    assert await _sources(engine, "GIVEN") == {"GIVEN": "files"}, "an event that does not say leaves what was said"

    await _store(unit_of_work, _given_by(event, "polygon", "files"))
    assert await _sources(engine, "GIVEN", "SILENT") == {"GIVEN": "polygon", "SILENT": "files"}


async def test_replica_rewrites_a_symbol_only_when_its_source_changes(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    event = _given_by(_prices({"KEPT": [1.0] * 5}), "files")
    version = sa.text("SELECT xmin::text FROM price_symbols WHERE symbol = 'KEPT'")
    await _store(unit_of_work, event)
    async with engine.connect() as connection:
        before = await connection.scalar(version)

    await _store(unit_of_work, event)

    async with engine.connect() as connection:
        assert await connection.scalar(version) == before


async def test_last_price_is_the_newest_bar_until_the_session(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    await _store(unit_of_work, _given_by(_prices({"PRICED": [10.0, 11.0, None, 13.0, 14.0]}), "files"))

    async with engine.connect() as connection:
        prices = await load_last_prices(connection, ["NEVER", "PRICED"], SESSIONS[2])
        early = await load_last_prices(connection, ["PRICED"], shift_session(SESSIONS[0], -1))

    assert prices == [
        LastPrice(symbol="NEVER"),
        LastPrice(symbol="PRICED", session=SESSIONS[1], close=11.0, source="files"),
    ]
    assert early == [LastPrice(symbol="PRICED")]


async def test_corrections_of_all_parts_of_a_run_are_loaded_together(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    run = make_run()
    first, second = (Part(index=index, total=2) for index in range(2))
    later = Correction(symbol="B", first_session=SESSIONS[0], last_session=SESSIONS[3])
    parts = (
        PricesUpdated(run=run, part=second, corrections=(later,)),
        PricesUpdated(run=run, part=first, corrections=(Correction(symbol="A", first_session=SESSIONS[2]),)),
        PricesUpdated(run=make_run(), part=ONLY_PART, corrections=(Correction(symbol="C", first_session=SESSIONS[2]),)),
    )
    for part in (*parts, parts[0]):
        async with unit_of_work() as uow:
            await store_corrections(uow.connection, part)

    async with engine.connect() as connection:
        found = await load_corrections(connection, run.run_id)

    assert found == (
        CorrectedBars("A", SESSIONS[2], SESSIONS[2]),
        CorrectedBars("B", SESSIONS[0], SESSIONS[3]),
    )


async def test_panel_over_tables_that_were_put_in_the_place_of_others_knows_its_symbols(
    unit_of_work: UnitOfWorkFactory, engine: AsyncEngine
) -> None:
    panel = PricePanel(engine)
    rows: dict[str, Sequence[float | None]] = {"FIRST": [1.0] * 5, "SECOND": [2.0] * 5}
    await _store(unit_of_work, _prices(rows))
    assert await _close(panel, "FIRST") == [1.0] * 5

    async with unit_of_work() as uow:
        for statement in (
            "DROP TABLE price_bars, price_symbols CASCADE",
            *PRICE_TABLES,
            SOURCE_COLUMN,
            TAKEN_BACK,
            REVISED,
        ):
            await uow.connection.execute(sa.text(statement))
    await _store(unit_of_work, _prices({"SECOND": [4.0] * 5}))
    await _store(unit_of_work, _prices({"FIRST": [3.0] * 5}))

    assert [await _close(panel, symbol) for symbol in rows] == [[3.0] * 5, [4.0] * 5]


def test_correction_is_seen_by_the_windows_that_hold_its_last_bar_and_by_no_later_one() -> None:
    corrected = CorrectedBars("A", SESSIONS[0], SESSIONS[1])

    assert corrected.seen_until(3) == SESSIONS[3]
    assert corrected.seen_until(10**6) == all_sessions()[-1].item(), "as far as there is a calendar"
