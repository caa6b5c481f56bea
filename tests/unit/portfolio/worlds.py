"""Random shards: books, prices with holes, splits, dividends, entries, exits and flows."""

from dataclasses import dataclass, fields, replace

import numpy as np
from hypothesis import strategies as st

from services.portfolio.core.cents import round_to_cents
from services.portfolio.core.marking import Holdings, MarkSource
from services.portfolio.core.trades import NOT_IN_WINDOW, UNPRICED, CashFlows, Exits, Market, PositionArrays
from services.portfolio.core.valuation import Opening, PortfolioValues, PositionValues, Valuation, roll_forward
from shared.arrays import IntArray
from shared.unavailable import Quantities

Cells = slice | tuple[slice, IntArray]


@dataclass(frozen=True)
class World:
    """The arguments of a roll."""

    positions: PositionArrays
    market: Market
    exits: Exits
    flows: CashFlows
    opening: Opening

    def roll(self) -> Valuation:
        return roll_forward(self.positions, self.market, exits=self.exits, flows=self.flows, opening=self.opening)


def worlds() -> st.SearchStrategy[World]:
    """Prices have two decimals and quantities three, so that decimals can check every cent."""
    return st.builds(
        world_of,
        st.integers(0, 2**32 - 1),
        st.integers(0, 12),
        st.integers(1, 4),
        st.integers(1, 8),
    )


def world_of(seed: int, n_positions: int, n_portfolios: int, n_sessions: int) -> World:
    rng = np.random.default_rng(seed)
    n_symbols = 4
    shape = (n_sessions, n_symbols)
    closes = rng.integers(100, 30_000, shape) / 100
    closes[rng.random(shape) < 0.25] = np.nan
    closes[rng.random(shape) < 0.03] = 0.0
    splits = np.where(rng.random(shape) < 0.12, rng.choice([2.0, 3.0, 0.5, 0.1, 1.5], shape), 1.0)
    dividends = np.where(rng.random(shape) < 0.15, rng.integers(1, 300, shape) / 100, 0.0)
    column = rng.integers(UNPRICED, n_symbols, n_positions)
    positions = PositionArrays(
        portfolio=rng.integers(0, n_portfolios, n_positions),
        column=column,
        split_column=column,
        multiplier=rng.choice(np.array([1, 100]), n_positions),
        entry_session=rng.integers(NOT_IN_WINDOW, n_sessions, n_positions),
        entry_quantity=rng.integers(1, 5_000_000, n_positions) / 1000 * rng.choice([-1.0, 1.0], n_positions),
        entry_price=rng.integers(100, 30_000, n_positions) / 100,
    )
    return World(
        positions,
        Market(closes, splits, dividends),
        _exits(rng, n_positions, n_sessions),
        _flows(rng, n_sessions, n_portfolios),
        Opening(rng.integers(-(10**9), 10**10, n_portfolios), np.ones(n_portfolios), _holdings(rng, positions)),
    )


def _flows(rng: np.random.Generator, n_sessions: int, n_portfolios: int) -> CashFlows:
    """Either direction, both or none of a session."""
    sizes = rng.integers(1, 10_000, (2, n_sessions, n_portfolios)) * 1000
    paid_in, taken_out = np.where(rng.random(sizes.shape) < 0.6, sizes, 0)
    return CashFlows(paid_in, taken_out)


def flows_of(flows: CashFlows, cells: Cells) -> CashFlows:
    """Return the flows of some sessions or portfolios."""
    return CashFlows(flows.contributions[cells], flows.withdrawals[cells])


def _exits(rng: np.random.Generator, n_positions: int, n_sessions: int) -> Exits:
    n_exits = int(rng.integers(0, 8)) if n_positions else 0
    session = np.sort(rng.integers(0, n_sessions, n_exits))
    size = rng.integers(1, 3_000_000, n_exits) / 1000
    size[rng.random(n_exits) < 0.3] = np.nan
    return Exits(rng.integers(0, max(n_positions, 1), n_exits), session, size, rng.integers(100, 30_000, n_exits) / 100)


def _holdings(rng: np.random.Generator, positions: PositionArrays) -> Holdings:
    """PositionArrays without an entry in the window are held from before, some of them carried or at cost."""
    n_positions = positions.portfolio.size
    held = positions.entry_session == NOT_IN_WINDOW
    mark = rng.integers(100, 30_000, n_positions) / 100
    source = rng.choice(np.array([MarkSource.CLOSE, MarkSource.CARRIED, MarkSource.COST], dtype=np.int64), n_positions)
    quantity = np.where(held, positions.entry_quantity, 0.0)
    value = round_to_cents(quantity * positions.multiplier * mark)
    cost = round_to_cents(quantity * positions.multiplier * positions.entry_price)
    age = np.where(source == MarkSource.CLOSE, 0, rng.integers(1, 9, n_positions))
    cost = np.where(source == MarkSource.COST, value, cost)
    return Holdings(quantity, mark, source, age, value, cost, rng.random(n_positions) < 0.8)


def sessions_of(world: World, first: int, last: int, opening: Opening) -> World:
    """Return the part of a world between two sessions, continued from an opening."""

    def shifted(session: IntArray) -> IntArray:
        return np.where((session >= first) & (session < last), session - first, NOT_IN_WINDOW)

    cut = slice(first, last)
    market = Market(world.market.closes[cut], world.market.splits[cut], world.market.dividends[cut])
    positions = replace(world.positions, entry_session=shifted(world.positions.entry_session))
    exits = replace(world.exits, session=shifted(world.exits.session))
    return World(positions, market, exits, flows_of(world.flows, cut), opening)


def reordered(world: World, order: IntArray) -> World:
    """Return the world with these positions, in this order."""
    place = {int(number): index for index, number in enumerate(order)}
    kept = np.array([int(number) in place for number in world.exits.position], dtype=np.bool_)
    moved = np.array([place[int(number)] for number in world.exits.position[kept]], dtype=np.int64)
    exits = Exits(moved, world.exits.session[kept], world.exits.size[kept], world.exits.price[kept])
    positions = PositionArrays(*(getattr(world.positions, field.name)[order] for field in fields(PositionArrays)))
    held = Holdings(*(getattr(world.opening.holdings, field.name)[order] for field in fields(Holdings)))
    return replace(world, positions=positions, exits=exits, opening=replace(world.opening, holdings=held))


def assert_same_portfolios(actual: PortfolioValues, expected: PortfolioValues, columns: IntArray | None = None) -> None:
    """Check all portfolio numbers bit for bit; `columns` picks those of `expected`."""
    for field in fields(PortfolioValues):
        mine, theirs = getattr(actual, field.name), getattr(expected, field.name)
        if isinstance(theirs, Quantities):
            mine, theirs = mine.values, theirs.values
        np.testing.assert_array_equal(mine, theirs if columns is None else theirs[:, columns], err_msg=field.name)


def assert_same_positions(actual: PositionValues, expected: PositionValues, order: IntArray | None = None) -> None:
    """Check all position numbers of active rows bit for bit; `order` picks the positions of `expected`."""
    positions = np.arange(expected.active.shape[1]) if order is None else order
    active = expected.active[:, positions]
    np.testing.assert_array_equal(actual.active, active)
    for field in fields(PositionValues):
        mine, theirs = getattr(actual, field.name), getattr(expected, field.name)[:, positions]
        np.testing.assert_array_equal(mine[active], theirs[active], err_msg=field.name)
