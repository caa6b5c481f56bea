"""Same inputs, same digest; any other input, another."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portfolio.core.assembly import ShardArrays
from services.portfolio.core.digest import snapshot_digests
from services.portfolio.core.trades import CashFlows, Exits, Market
from tests.unit.portfolio.worlds import World, reordered, sessions_of, world_of, worlds


def digests(
    world: World, names: list[int] | None = None, label: str = "Energy", exposure: int = 0, rate: float = 0.0
) -> list[list[str]]:
    ids = tuple(UUID(int=name) for name in names or range(world.positions.portfolio.size))
    arrays = ShardArrays(ids, world.positions, world.exits, world.opening.holdings)
    labels = [label] * len(ids)
    rolled = world.roll()
    first = np.arange(len(ids)) == 0
    exposures = rolled.positions.market_value + exposure * first
    return snapshot_digests(
        arrays,
        world.market,
        opening=world.opening,
        valuation=rolled,
        labels=labels,
        exposed=np.stack([exposures, rate * np.broadcast_to(first, exposures.shape)], axis=-1),
    )


def changed(
    world: World, *, close: float = 0.0, flow: int = 0, both: int = 0, equity: int = 0, price: float = 0.0
) -> World:
    closes = world.market.closes.copy()
    closes[1, 0] += close
    exits = Exits(world.exits.position, world.exits.session, world.exits.size, world.exits.price + price)
    paid_in, taken_out = world.flows.contributions.copy(), world.flows.withdrawals.copy()
    paid_in[1, 0] += flow + both
    taken_out[1, 0] += both
    return replace(
        world,
        market=Market(closes, world.market.splits, world.market.dividends),
        exits=exits,
        flows=CashFlows(paid_in, taken_out),
        opening=replace(world.opening, equity=world.opening.equity + equity),
    )


def small_world() -> World:
    """Return three positions of one portfolio, all held from before and priced, one sold on the second session."""
    world = world_of(5, 3, 1, 3)
    positions = replace(world.positions, column=np.array([0, 1, 2]), entry_session=np.full(3, -1))
    held = world.opening.holdings
    held = replace(held, quantity=np.array([10.0, -20.0, 30.0]), market_value=held.market_value * 0 + 100)
    market = Market(np.full((3, 4), 50.0), np.ones((3, 4)), np.zeros((3, 4)))
    exits = Exits(np.array([2]), np.array([1]), np.array([5.0]), np.array([51.0]))
    return World(positions, market, exits, world.flows, replace(world.opening, holdings=held))


def test_digest_of_the_same_inputs_is_the_same() -> None:
    assert digests(small_world()) == digests(small_world())


def test_digest_of_a_position_in_another_sector_differs() -> None:
    before, after = digests(small_world()), digests(small_world(), label="Utilities")
    assert all(old != new for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        lambda world: changed(world, close=0.01),
        lambda world: changed(world, flow=1),
        lambda world: changed(world, price=0.01),
    ],
)
def test_digest_of_other_inputs_differs_from_their_session_on(change: Callable[[World], World]) -> None:
    before, after = digests(small_world()), digests(change(small_world()))
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, False]


def test_digest_of_money_that_came_and_went_on_a_session_differs() -> None:
    before, after = digests(small_world()), digests(changed(small_world(), both=1))
    assert (before[0], before[1] == after[1]) == (after[0], False)


def test_digest_changes_with_the_opening_equity_and_with_the_position_id() -> None:
    before = digests(small_world())
    assert digests(changed(small_world(), equity=1))[0] != before[0]
    assert digests(small_world(), [0, 1, 7])[0] != before[0]


@given(worlds(), st.integers(0, 2**32 - 1))
def test_digest_does_not_depend_on_the_order_of_positions(world: World, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(world.positions.portfolio.size)
    assert digests(reordered(world, order), order.tolist()) == digests(world)


@given(worlds())
def test_digest_of_a_continued_roll_is_that_of_the_long_one(world: World) -> None:
    n_sessions = world.market.n_sessions
    half = max(n_sessions // 2, 1)
    first = sessions_of(world, 0, half, world.opening)
    parts = digests(first)
    if half < n_sessions:
        parts += digests(sessions_of(world, half, n_sessions, first.roll().closing))
    assert parts == digests(world)


def test_digest_follows_the_exposure_of_a_position() -> None:
    world = small_world()

    assert digests(world, exposure=1) != digests(world)
    assert digests(world, rate=0.01) != digests(world)
