from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market_data.core.run_plan import (
    NOTHING_TO_FETCH,
    RECENT_SESSIONS,
    SHARD_CELLS,
    SHARD_SYMBOLS,
    Mode,
    RunPlan,
    SettledSessions,
    pack_shards,
    plan_symbols,
)
from shared.arrays import BoolArray, DateArray
from shared.calendar import sessions_between
from shared.factor_set import FactorSet

WINDOW = np.array(sessions_between(date(2023, 1, 3), date(2024, 3, 15)), dtype="datetime64[D]")
COUNT = len(WINDOW)


def stored_but(missing: slice | list[int]) -> BoolArray:
    row = np.ones(COUNT, dtype=bool)
    row[missing] = False
    return row


def settled(first: int | None, through: int | None, *, grid: DateArray = WINDOW) -> SettledSessions:
    if first is None or through is None:
        return SettledSessions.never(1)
    return SettledSessions(grid[[first]], grid[[through]])


def plan_one(row: BoolArray, known: SettledSessions | None = None, *, grid: DateArray = WINDOW) -> RunPlan:
    return plan_symbols(["AAA"], grid, row[None, :], known or SettledSessions.never(1))


@pytest.mark.parametrize(
    ("missing", "mode", "fetch_from"),
    [
        (0, Mode.NOTHING, NOTHING_TO_FETCH),
        (1, Mode.INCREMENTAL, COUNT - 2),
        (2, Mode.GAP_FILL, COUNT - 3),
        (30, Mode.GAP_FILL, COUNT - 31),
        (31, Mode.BACKFILL, 0),
        (COUNT, Mode.BACKFILL, 0),
    ],
)
def test_plan_symbols_chooses_the_mode_by_the_number_of_missing_sessions(
    missing: int, mode: Mode, fetch_from: int
) -> None:
    plan = plan_one(stored_but(slice(COUNT - missing, None)))

    assert plan.modes == (mode,)
    assert plan.fetch_from.tolist() == [fetch_from]
    assert int(plan.missing.sum()) == missing


def test_plan_symbols_after_a_halt_fetches_from_the_last_stored_session() -> None:
    row = stored_but([*range(COUNT - 11, COUNT)])

    plan = plan_one(row, settled(0, COUNT - 2))

    assert plan.fetch_from.tolist() == [COUNT - 12], "the settled holes before the first missing one show no basis"


def test_plan_symbols_with_nothing_stored_before_the_missing_sessions_fetches_the_whole_window() -> None:
    row = np.zeros(COUNT, dtype=bool)
    row[-2:] = True

    plan = plan_one(row, settled(0, COUNT - 1))

    assert np.nonzero(plan.missing[0])[0].tolist() == [COUNT - 5, COUNT - 4, COUNT - 3]
    assert plan.fetch_from.tolist() == [0]


def test_plan_symbols_with_a_lagging_symbol_finds_its_own_holes_only() -> None:
    stored = np.stack([stored_but([COUNT - 1]), stored_but([100, 200]), stored_but([])])

    plan = plan_symbols(["NEW", "HOLES", "FULL"], WINDOW, stored, SettledSessions.never(3))

    assert plan.symbols == ("FULL", "HOLES", "NEW")
    assert plan.modes == (Mode.NOTHING, Mode.GAP_FILL, Mode.INCREMENTAL)
    assert np.nonzero(plan.missing[1])[0].tolist() == [100, 200]


def test_plan_symbols_for_a_young_symbol_does_not_download_its_missing_past_again() -> None:
    young = stored_but(slice(0, COUNT - 40))

    assert plan_one(young).modes == (Mode.BACKFILL,)
    assert plan_one(young, settled(0, COUNT - 1)).modes == (Mode.NOTHING,)


def test_plan_symbols_on_the_night_after_fetches_the_new_session_only() -> None:
    young = stored_but([*range(COUNT - 40), COUNT - 1])

    plan = plan_one(young, settled(0, COUNT - 2))

    assert plan.modes == (Mode.INCREMENTAL,)
    assert np.nonzero(plan.missing[0])[0].tolist() == [COUNT - 1]


@pytest.mark.parametrize(("back", "asked"), [(RECENT_SESSIONS, True), (RECENT_SESSIONS + 1, False)])
def test_plan_symbols_with_a_settled_hole_asks_again_while_it_is_recent(back: int, asked: bool) -> None:
    plan = plan_one(stored_but([COUNT - back]), settled(0, COUNT - 1))

    assert bool(plan.missing.any()) is asked


def test_plan_symbols_for_a_delisted_symbol_asks_once_a_week() -> None:
    row = stored_but(slice(COUNT - 25, None))

    asked = [bool(plan_one(row, settled(0, COUNT - 1 - nights)).missing.any()) for nights in range(7)]

    assert asked == [False, False, False, False, False, True, True]


def test_plan_symbols_for_an_unknown_symbol_asks_once_a_week_for_the_whole_window() -> None:
    row = stored_but(slice(None))

    assert plan_one(row, settled(0, COUNT - 1)).modes == (Mode.NOTHING,)
    again = plan_one(row, settled(0, COUNT - 6))
    assert again.modes == (Mode.BACKFILL,)
    assert again.fetch_from.tolist() == [0]


def test_plan_symbols_in_a_short_window_asks_for_a_symbol_never_asked_for() -> None:
    assert plan_one(np.zeros(3, dtype=bool), grid=WINDOW[:3]).missing.all()


def test_plan_symbols_for_a_window_before_what_is_settled_asks_for_it() -> None:
    known = SettledSessions(WINDOW[[200]], WINDOW[[250]])

    assert plan_one(np.zeros(100, dtype=bool), known, grid=WINDOW[:100]).missing.all()


def test_plan_symbols_with_wrong_arguments_raises() -> None:
    with pytest.raises(ValueError, match="at least one session"):
        plan_symbols(["A"], WINDOW[:0], np.zeros((1, 0), dtype=bool), SettledSessions.never(1))
    with pytest.raises(ValueError, match="distinct"):
        plan_symbols(["A", "A"], WINDOW, np.zeros((2, COUNT), dtype=bool), SettledSessions.never(2))
    with pytest.raises(ValueError, match="stored must have shape"):
        plan_symbols(["A"], WINDOW, np.zeros((1, 3), dtype=bool), SettledSessions.never(1))
    with pytest.raises(ValueError, match="known must have"):
        plan_symbols(["A"], WINDOW, np.zeros((1, COUNT), dtype=bool), SettledSessions.never(2))


def test_settled_after_a_fetch_covers_the_window_and_what_it_touches() -> None:
    known = SettledSessions(WINDOW[[0, 0, 0]], WINDOW[[60, 10, 60]])
    window = WINDOW[50:100]

    after = known.after(window, np.array([True, True, False]))

    assert after.first.tolist() == [WINDOW[0], WINDOW[50], WINDOW[0]]
    assert after.through.tolist() == [WINDOW[99], WINDOW[99], WINDOW[60]]


def test_settled_after_the_first_fetch_is_the_window() -> None:
    after = SettledSessions.never(2).after(WINDOW, np.array([True, False]))

    assert after.through.tolist() == [WINDOW[-1], None]


def test_settled_night_after_night_never_downloads_a_silent_past_again() -> None:
    row = np.zeros(COUNT, dtype=bool)
    row[150:250] = True  # listed at 150, first seen by us at 250
    known, fetched = SettledSessions.never(1), []
    for night in range(250, 290):
        row[night] = True
        arrived = row.copy()
        arrived[night] = False  # last night's store
        plan = plan_one(arrived[: night + 1], known, grid=WINDOW[: night + 1])
        fetched.append(int(plan.missing.sum()))
        known = known.after(plan.sessions, plan.fetch_from != NOTHING_TO_FETCH)

    assert fetched == [151] + [1] * 39


@given(st.integers(0, 2**32 - 1), st.permutations(range(6)))
def test_plan_symbols_does_not_depend_on_the_order_of_symbols(seed: int, order: list[int]) -> None:
    random = np.random.default_rng(seed)
    stored = random.random((6, COUNT)) < random.choice([0.0, 0.5, 0.98, 1.0], (6, 1))
    known = SettledSessions(np.full(6, WINDOW[0]), WINDOW[random.integers(0, COUNT, 6)])
    names = [f"S{i}" for i in range(6)]

    plan = plan_symbols(names, WINDOW, stored, known)
    shuffled = plan_symbols(
        [names[i] for i in order], WINDOW, stored[order], SettledSessions(known.first[order], known.through[order])
    )

    assert plan.symbols == shuffled.symbols
    assert plan.modes == shuffled.modes
    assert np.array_equal(plan.missing, shuffled.missing)
    assert pack_shards(plan, WINDOW[-1].item()) == pack_shards(shuffled, WINDOW[-1].item())


PROXIES = len(FactorSet().tickers())


def plan_many(count: int, missing: slice) -> RunPlan:
    names = [f"S{i:05d}" for i in range(count)]
    return plan_symbols(names, WINDOW, np.tile(stored_but(missing), (count, 1)), SettledSessions.never(count))


@pytest.mark.parametrize(("count", "shards"), [(1, 1), (500 + PROXIES, 1), (521, 2), (2000 + PROXIES, 4)])
def test_pack_shards_for_increments_is_bounded_by_symbols(count: int, shards: int) -> None:
    packed = pack_shards(plan_many(count, slice(COUNT - 1, None)), WINDOW[-1].item())

    assert len(packed) == shards
    assert [s for shard in packed for s in shard.symbols] == [f"S{i:05d}" for i in range(count)]
    assert max(len(shard.symbols) for shard in packed) <= SHARD_SYMBOLS


def test_pack_shards_for_backfills_is_bounded_by_cells() -> None:
    packed = pack_shards(plan_many(200, slice(None)), WINDOW[-1].item())

    size = SHARD_CELLS // COUNT
    assert [len(shard.symbols) for shard in packed] == [size, size, size, 200 - 3 * size]
    assert max(shard.cells for shard in packed) <= SHARD_CELLS
    assert packed[0].fetch_first == WINDOW[0].item()
    assert packed[0].fetch_last == WINDOW[-1].item()


def test_pack_shards_counts_the_union_of_sessions_of_its_symbols() -> None:
    stored = np.ones((400, COUNT), dtype=bool)
    stored[np.arange(400), np.arange(400) % COUNT] = False  # a hole of its own for nearly everybody
    plan = plan_symbols([f"S{i:03d}" for i in range(400)], WINDOW, stored, SettledSessions.never(400))

    for shard in pack_shards(plan, WINDOW[-1].item()):
        rows = [plan.symbols.index(symbol) for symbol in shard.symbols]
        announced = plan.missing[rows].any(axis=0) | np.isin(WINDOW, WINDOW[-1:])
        assert shard.cells == len(rows) * int(announced.sum()) <= SHARD_CELLS


def test_pack_shards_keeps_modes_apart_and_announces_the_stored_ones_without_a_fetch() -> None:
    stored = np.stack([stored_but([]), stored_but([COUNT - 1]), stored_but(slice(None)), stored_but([])])

    shards = pack_shards(
        plan_symbols(["D", "C", "B", "A"], WINDOW, stored, SettledSessions.never(4)), WINDOW[-3].item()
    )

    assert [(s.symbols, s.mode, s.cells) for s in shards] == [
        (("A", "D"), Mode.NOTHING, 6),
        (("C",), Mode.INCREMENTAL, 3),
        (("B",), Mode.BACKFILL, COUNT),
    ]
    assert (shards[0].fetch_first, shards[0].fetch_last) == (None, None)
    assert (shards[1].fetch_first, shards[1].fetch_last) == (WINDOW[-2].item(), WINDOW[-1].item())


def test_pack_shards_of_an_empty_plan_is_empty() -> None:
    plan = plan_symbols([], WINDOW, np.zeros((0, COUNT), dtype=bool), SettledSessions.never(0))

    assert pack_shards(plan, WINDOW[-1].item()) == ()
