"""What holds for every book, and an independent reckoning in decimals."""

from dataclasses import dataclass, fields, replace
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.portfolio.core.cents import AmountOutOfRange
from services.portfolio.core.marking import MarkSource
from services.portfolio.core.trades import UNPRICED, Market
from services.portfolio.core.valuation import Opening, PortfolioValues, PositionValues
from shared.unavailable import Reason, Unavailable
from tests.unit.portfolio.worlds import (
    World,
    assert_same_portfolios,
    assert_same_positions,
    flows_of,
    reordered,
    sessions_of,
    world_of,
    worlds,
)


@given(worlds())
def test_equity_of_any_book_adds_up_to_the_cent_every_session(world: World) -> None:
    portfolios = world.roll().portfolios
    before = np.vstack([world.opening.equity, portfolios.equity[:-1]])
    np.testing.assert_array_equal(portfolios.equity, before + portfolios.pnl + world.flows.net)
    np.testing.assert_array_equal(portfolios.cash + portfolios.net, portfolios.equity)
    np.testing.assert_array_equal(portfolios.long_value + portfolios.short_value, portfolios.net)
    np.testing.assert_array_equal(portfolios.long_value - portfolios.short_value, portfolios.gross)


@given(worlds())
def test_positions_of_any_book_sum_to_their_portfolio(world: World) -> None:
    valued = world.roll()
    for portfolio in range(world.opening.equity.size):
        mine = world.positions.portfolio == portfolio
        totals = {"pnl": "pnl", "market_value": "net", "dividends": "dividends", "realised_pnl": "realised_pnl"}
        for name, total in totals.items():
            expected = getattr(valued.positions, name)[:, mine].sum(axis=1)
            np.testing.assert_array_equal(getattr(valued.portfolios, total)[:, portfolio], expected)


@given(worlds())
def test_carried_marks_of_any_book_are_those_of_a_plain_loop(world: World) -> None:
    valued = world.roll()
    positions, portfolios = valued.positions, valued.portfolios
    for session, portfolio in np.ndindex(portfolios.equity.shape):
        mine = (world.positions.portfolio == portfolio) & (positions.quantity[session] != 0)
        carried = np.flatnonzero(mine & (positions.mark_source[session] == MarkSource.CARRIED))
        fresh = np.flatnonzero(mine & (positions.mark_source[session] == MarkSource.CLOSE))
        ages = [int(positions.mark_age[session, place]) for place in carried]
        gross = sum(abs(int(positions.market_value[session, place])) for place in carried)
        assert portfolios.oldest_mark[session, portfolio] == max(ages, default=0)
        assert portfolios.stale_gross[session, portfolio] == gross
        why = portfolios.daily_return.at((session, portfolio))
        is_stale = isinstance(why, Unavailable) and why.reason is Reason.STALE_INPUT
        assert is_stale == (carried.size > 0 and fresh.size == 0)


@given(worlds())
def test_pnl_of_a_life_is_realised_plus_unrealised_plus_dividends(world: World) -> None:
    # Nothing is counted twice: realised P&L is a part of what was marked, for positions entered within the window.
    valued = world.roll().positions
    entered = world.positions.entry_session >= 0
    life = (valued.realised_pnl + valued.dividends).sum(axis=0) + valued.unrealised_pnl[-1]
    np.testing.assert_array_equal(valued.pnl.sum(axis=0)[entered], life[entered])


@given(worlds())
def test_pnl_of_a_stale_position_is_what_exits_and_dividends_brought(world: World) -> None:
    valued = world.roll().positions
    stale = valued.active & (valued.quantity != 0) & valued.stale
    np.testing.assert_array_equal(valued.pnl[stale], (valued.exit_pnl + valued.dividends)[stale])


@given(worlds(), st.lists(st.integers(1, 7), max_size=3))
def test_long_roll_equals_many_short_ones(world: World, cuts: list[int]) -> None:
    whole = world.roll()
    n_sessions = world.market.n_sessions
    bounds = [0, *sorted({cut for cut in cuts if cut < n_sessions}), n_sessions]
    opening = world.opening
    parts = []
    for first, last in pairwise(bounds):
        parts.append(sessions_of(world, first, last, opening).roll())
        opening = parts[-1].closing
    positions = PositionValues(
        *(np.concatenate([getattr(part.positions, field.name) for part in parts]) for field in fields(PositionValues))
    )
    assert_same_positions(positions, whole.positions)
    for part, (first, last) in zip(parts, pairwise(bounds), strict=True):
        expected = _sessions(whole.portfolios, first, last)
        assert_same_portfolios(part.portfolios, expected)


@given(worlds(), st.integers(0, 2**32 - 1))
def test_order_of_positions_changes_no_bit(world: World, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(world.positions.portfolio.size)
    shuffled = reordered(world, order).roll()
    whole = world.roll()
    assert_same_portfolios(shuffled.portfolios, whole.portfolios)
    assert_same_positions(shuffled.positions, whole.positions, order)


@given(worlds(), st.data())
def test_neighbours_in_the_shard_change_no_bit(world: World, data: st.DataObject) -> None:
    portfolio = data.draw(st.integers(0, world.opening.equity.size - 1))
    mine = np.flatnonzero(world.positions.portfolio == portfolio)
    alone = reordered(world, mine)
    only = np.array([portfolio])
    opening = replace(alone.opening, equity=alone.opening.equity[only], twr_index=alone.opening.twr_index[only])
    positions = replace(alone.positions, portfolio=np.zeros_like(mine))
    alone = replace(alone, positions=positions, opening=opening, flows=flows_of(world.flows, (slice(None), only)))
    valued, whole = alone.roll(), world.roll()
    assert_same_portfolios(valued.portfolios, whole.portfolios, only)
    assert_same_positions(valued.positions, whole.positions, mine)


@given(worlds(), st.integers(0, 2**32 - 1))
def test_equity_of_a_fully_priced_close_does_not_depend_on_which_closes_before_it_were_missing(
    world: World, seed: int
) -> None:
    # What a hole carries, the next close books: nothing is lost and nothing is counted twice.
    closes = np.where(np.isfinite(world.market.closes) & (world.market.closes > 0), world.market.closes, 123.45)
    holed = np.where(np.random.default_rng(seed).random(closes.shape) < 0.4, np.nan, closes)
    holed[-1] = closes[-1]

    full, late = (replace(world, market=replace(world.market, closes=each)).roll() for each in (closes, holed))

    for name in ("equity", "cash", "long_value", "short_value"):
        mine, theirs = getattr(late.portfolios, name)[-1], getattr(full.portfolios, name)[-1]
        np.testing.assert_array_equal(mine, theirs, err_msg=name)
    np.testing.assert_array_equal(late.portfolios.pnl.sum(axis=0), full.portfolios.pnl.sum(axis=0))
    np.testing.assert_array_equal(late.positions.realised_pnl, full.positions.realised_pnl)
    np.testing.assert_array_equal(late.closing.holdings.quantity, full.closing.holdings.quantity)


@given(worlds(), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_price_that_arrives_late_gives_the_numbers_it_would_have_given_in_time(
    world: World, session: int, seed: int
) -> None:
    # Valued without it, then again from its session on, from the state of the close before.
    session = min(session, world.market.n_sessions - 1)
    holed = world.market.closes.copy()
    holed[session, np.random.default_rng(seed).random(holed.shape[1]) < 0.5] = np.nan
    before = replace(world, market=replace(world.market, closes=holed))
    opening = world.opening
    if session:
        opening = sessions_of(before, 0, session, world.opening).roll().closing

    again = sessions_of(world, session, world.market.n_sessions, opening).roll()

    whole = world.roll()
    assert_same_portfolios(again.portfolios, _sessions(whole.portfolios, session, world.market.n_sessions))
    np.testing.assert_array_equal(again.closing.holdings.market_value, whole.closing.holdings.market_value)


@given(worlds(), st.integers(0, 2**32 - 1))
def test_market_that_makes_no_sense_gives_numbers_or_is_refused_and_never_nan(world: World, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = world.market.closes.shape
    odd = rng.random(shape) < 0.3
    market = Market(
        np.where(odd, rng.choice([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e12, 1e-9], shape), world.market.closes),
        np.where(odd, rng.choice([np.nan, np.inf, -2.0, 0.0, 1e6, 1e-6], shape), world.market.splits),
        np.where(odd, rng.choice([np.nan, np.inf, -1.0, 1e12], shape), world.market.dividends),
    )
    try:
        valued = replace(world, market=market).roll()
    except AmountOutOfRange:
        return

    held = valued.positions.active
    for field in fields(PositionValues):
        assert np.isfinite(getattr(valued.positions, field.name)[held]).all(), field.name
    assert (valued.positions.mark[held] > 0).all()
    for quantities in (valued.portfolios.daily_return, valued.portfolios.twr_index):
        known = ~quantities.unavailable.astype(np.bool_)
        np.testing.assert_array_equal(np.isfinite(quantities.values), known)


# An exit of the example leaves an exact half cent of the cost.
@example(world_of(98822228, 12, 1, 7))
@given(worlds())
def test_position_of_any_book_agrees_with_a_plain_reckoning_in_decimals(world: World) -> None:
    valued = world.roll().positions
    for place in range(world.positions.portfolio.size):
        for session, day in enumerate(_reckon(world, place)):
            actual = (
                valued.pnl[session, place],
                valued.market_value[session, place],
                valued.cost[session, place],
                valued.realised_pnl[session, place],
                valued.dividends[session, place],
            )
            assert actual == (day.pnl, day.value, day.cost, day.realised, day.dividends), (place, session)
            assert float(day.quantity) == valued.quantity[session, place]


@pytest.mark.parametrize("wrong", ["flows", "portfolio"])
def test_roll_forward_with_disagreeing_shapes_is_refused(wrong: str) -> None:
    world = world_of(1, 6, 2, 3)
    if wrong == "flows":
        world = replace(world, flows=flows_of(world.flows, slice(0, -1)))
    else:
        world = replace(
            world, positions=replace(world.positions, portfolio=world.positions.portfolio + world.opening.equity.size)
        )
    with pytest.raises(ValueError, match="must"):
        world.roll()


def _sessions(portfolios: PortfolioValues, first: int, last: int) -> PortfolioValues:
    cut = {}
    for field in fields(PortfolioValues):
        whole = getattr(portfolios, field.name)
        if field.name in {"daily_return", "twr_index"}:
            cut[field.name] = replace(whole, values=whole.values[first:last], unavailable=whole.unavailable[first:last])
        else:
            cut[field.name] = whole[first:last]
    return PortfolioValues(**cut)


@dataclass
class _Day:
    """A position in decimals; amounts in cents."""

    quantity: Decimal
    value: int
    cost: int
    pnl: int = 0
    realised: int = 0
    dividends: int = 0


def _reckon(world: World, place: int) -> list[_Day]:
    """Follow one position through its sessions without arrays."""
    held = world.opening.holdings
    days = [_Day(Decimal(str(held.quantity[place])), int(held.market_value[place]), int(held.cost[place]))]
    for session in range(world.market.n_sessions):
        days.append(_reckon_session(world, place, session, days[-1]))
    return days[1:]


def _reckon_session(world: World, place: int, session: int, before: _Day) -> _Day:
    times = int(world.positions.multiplier[place])
    close, split, dividend = _bar(world, place, session)
    quantity = (before.quantity * split).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)
    day = _Day(quantity, before.value, before.cost, dividends=_cents(quantity * dividend * times))
    spent = received = 0
    if world.positions.entry_session[place] == session:
        day.quantity = Decimal(str(world.positions.entry_quantity[place]))
        spent = _cents(day.quantity * Decimal(str(world.positions.entry_price[place])) * times)
        day.value = day.cost = spent
    for exit_ in np.flatnonzero((world.exits.position == place) & (world.exits.session == session)):
        size, price = world.exits.size[exit_], Decimal(str(world.exits.price[exit_]))
        closed = abs(day.quantity) if np.isnan(size) else min(Decimal(str(size)), abs(day.quantity))
        left = day.quantity - closed.copy_sign(day.quantity)
        proceeds = _cents(closed.copy_sign(day.quantity) * price * times)
        kept = _share(day.cost, left, day.quantity)
        day.realised += proceeds - (day.cost - kept)
        day.quantity, day.value, day.cost = left, _share(day.value, left, day.quantity), kept
        received += proceeds
    if close is not None or not day.quantity:
        day.value = _cents(day.quantity * (close or Decimal(0)) * times)
    if not day.quantity:
        day.cost = 0
    day.pnl = day.value + received + day.dividends - spent - before.value
    return day


def _bar(world: World, place: int, session: int) -> tuple[Decimal | None, Decimal, Decimal]:
    column = int(world.positions.column[place])
    if column == UNPRICED:
        return None, Decimal(1), Decimal(0)
    market = world.market
    close = market.closes[session, column]
    known = Decimal(str(close)) if close > 0 else None
    return known, Decimal(str(market.splits[session, column])), Decimal(str(market.dividends[session, column]))


def _share(cents: int, left: Decimal, quantity: Decimal) -> int:
    # The product first: a rounded ratio moves an exact half cent off its tie.
    return _whole(cents * left / quantity) if quantity else 0


def _cents(amount: Decimal) -> int:
    return _whole(amount * 100)


def _whole(cents: Decimal) -> int:
    return int(cents.quantize(Decimal(1), ROUND_HALF_EVEN))


def test_opening_of_another_number_of_lots_is_refused() -> None:
    world = world_of(1, 6, 2, 3)
    held = world.opening.holdings
    longer = type(held)(*(np.append(getattr(held, field.name), 0) for field in fields(held)))
    with pytest.raises(ValueError, match="opening"):
        replace(world, opening=Opening(world.opening.equity, world.opening.twr_index, longer)).roll()
