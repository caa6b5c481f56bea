"""The predecessor's tables of the golden world: equal where it was right, the right figure where it was not.

Tests named `test_defect_g<number>` are about the mistakes that the README of the world lists.
"""

import numpy as np
import pytest

from services.portfolio.core.marking import MarkSource
from services.portfolio.core.positions import PositionType, is_option
from tests.support.golden import output
from tests.unit.portfolio.golden import DAYS, OPENING, Golden, closes, golden_world, records
from tests.unit.portfolio.rolls import NAN, dollars, position, roll

UNTRADED = (0, 1, 2, 3, 4)  # long only, 130/30, net short, options, privates and funds
P3_NET_SHORT, P4_OPTIONS, P6_TRADING = 2, 3, 5
HALF_A_CENT = 0.005 + 1e-7
# Each of up to 28 positions is rounded here, only their sum there.
CENTS_OF_ROUNDING = 0.10


@pytest.fixture(scope="module")
def golden() -> Golden:
    return golden_world()


@pytest.mark.parametrize("portfolio", [*UNTRADED, P6_TRADING])
def test_exposures_of_golden_books_are_theirs_to_the_cent(golden: Golden, portfolio: int) -> None:
    places = golden.positions_of(portfolio)
    values = np.nan_to_num((golden.units() * golden.marks)[1:, places])
    unrounded = {
        "long_value": np.maximum(values, 0).sum(axis=1),
        "short_value": np.minimum(values, 0).sum(axis=1),
        "gross_exposure": np.abs(values).sum(axis=1),
        "net_exposure": values.sum(axis=1),
    }
    for column, expected in unrounded.items():
        np.testing.assert_allclose(golden.theirs(portfolio, column), expected, rtol=0, atol=HALF_A_CENT, err_msg=column)
        mine = golden.ours(portfolio, column.removesuffix("_exposure"))
        np.testing.assert_allclose(mine, expected, rtol=0, atol=CENTS_OF_ROUNDING, err_msg=column)


@pytest.mark.parametrize("portfolio", UNTRADED)
def test_pnl_of_untraded_golden_books_is_theirs_to_the_cent(golden: Golden, portfolio: int) -> None:
    places = golden.positions_of(portfolio)
    expected = (golden.units()[1:, places] * np.diff(golden.marks[:, places], axis=0)).sum(axis=1)

    np.testing.assert_allclose(golden.theirs(portfolio, "daily_pnl"), expected, rtol=0, atol=HALF_A_CENT)
    np.testing.assert_allclose(golden.ours(portfolio, "pnl"), expected, rtol=0, atol=CENTS_OF_ROUNDING)


@pytest.mark.parametrize("portfolio", UNTRADED)
def test_equity_cash_and_sums_of_untraded_golden_books_are_theirs(golden: Golden, portfolio: int) -> None:
    equity, pnl = golden.ours(portfolio, "equity"), golden.ours(portfolio, "pnl")
    for column, mine in (
        ("equity_balance", equity),
        ("total_value", equity),
        ("cash_value", golden.ours(portfolio, "cash")),
        ("cumulative_pnl", np.cumsum(pnl)),
    ):
        np.testing.assert_allclose(mine, golden.theirs(portfolio, column), rtol=0, atol=CENTS_OF_ROUNDING)
    returns = golden.valued.portfolios.daily_return.values[:, portfolio]
    np.testing.assert_allclose(returns, golden.theirs(portfolio, "daily_return"), rtol=0, atol=0.6e-6)
    for column in ("daily_realized_pnl", "cumulative_realized_pnl", "daily_capital_flow", "cumulative_capital_flow"):
        assert not golden.theirs(portfolio, column).any()
    assert not golden.ours(portfolio, "realised_pnl").any()
    assert not golden.ours(portfolio, "flow").any()


@pytest.mark.parametrize("portfolio", [*UNTRADED, P6_TRADING])
def test_counts_of_golden_books_are_theirs(golden: Golden, portfolio: int) -> None:
    for column, mine in (
        ("num_positions", "positions"),
        ("num_long_positions", "long_positions"),
        ("num_short_positions", "short_positions"),
    ):
        assert golden.ours(portfolio, mine).tolist() == golden.theirs(portfolio, column).tolist()


def test_values_of_every_golden_position_are_theirs_to_the_cent(golden: Golden) -> None:
    states = output("positions_state")
    theirs = states[states["market_value"].notna() & (states["quantity"] != 0) & (states["date"] > str(OPENING))]
    values = golden.valued.positions
    checked = 0
    for row in records(theirs):
        session, place = [str(day) for day in DAYS].index(row.date), golden.place_of(row.position_id)
        terms = golden.positions[place].terms
        if is_option(PositionType(row.position_type)) or terms.kind is PositionType.PRIVATE:
            continue
        if terms.entry_date > DAYS[session]:
            # They value what is yet to be bought.
            assert not values.active[session, place], row
            continue
        assert (values.quantity[session, place], values.mark[session, place]) == (row.quantity, row.last_price), row
        # Ties go to the even cent here, away from zero there.
        worth = row.quantity * row.last_price
        assert row.market_value == pytest.approx(worth, abs=HALF_A_CENT), row
        assert values.market_value[session, place] / 100 == pytest.approx(worth, abs=HALF_A_CENT), row
        gain = row.quantity * (row.last_price - float(terms.entry_price))
        assert row.unrealized_pnl == pytest.approx(gain, abs=HALF_A_CENT), row
        assert values.unrealised_pnl[session, place] / 100 == pytest.approx(gain, abs=2 * HALF_A_CENT), row
        checked += 1
    assert checked == 1_162


def test_flows_of_the_golden_world_are_booked_on_their_sessions(golden: Golden) -> None:
    table = output("equity_changes")
    signed = table["amount"] * table["change_type"].map({"CONTRIBUTION": 1, "WITHDRAWAL": -1})
    expected = dict(zip(table["change_date"], signed, strict=True))

    flows = golden.ours(P6_TRADING, "flow")

    assert {str(day): flow for day, flow in zip(DAYS, flows.tolist(), strict=True) if flow} == expected
    np.testing.assert_array_equal(flows, golden.theirs(P6_TRADING, "daily_capital_flow"))
    np.testing.assert_array_equal(np.cumsum(flows), golden.theirs(P6_TRADING, "cumulative_capital_flow"))


def test_realised_events_of_the_golden_world_are_theirs_to_the_cent(golden: Golden) -> None:
    events = output("position_realized_events")
    realised = np.zeros(len(DAYS))
    for row in records(events):
        session, place = [str(day) for day in DAYS].index(row.trade_date), golden.place_of(row.position_id)
        assert golden.valued.positions.realised_pnl[session, place] / 100 == row.realized_pnl
        held = np.abs(golden.units()[[session, session + 1], place])
        assert held[0] - held[1] == row.quantity_closed
        realised[session] += row.realized_pnl

    assert len(events) == 3
    np.testing.assert_array_equal(golden.ours(P6_TRADING, "realised_pnl"), realised)
    np.testing.assert_array_equal(golden.theirs(P6_TRADING, "daily_realized_pnl"), realised)


def test_defect_g1_market_values_are_those_of_the_session_in_every_table(golden: Golden) -> None:
    # Their second pipeline leaves every market value empty and weighs by cost. Ours: one value, in positions and sums.
    table = closes()
    values = golden.valued.positions
    for place, entry in enumerate(golden.positions):
        if entry.terms.symbol not in table.columns:
            continue
        held = np.flatnonzero(values.quantity[:, place])
        np.testing.assert_array_equal(values.mark[held, place], table[entry.terms.symbol].to_numpy()[1:][held])
    for portfolio in range(6):
        total = values.market_value[:, golden.positions_of(portfolio)].sum(axis=1)
        np.testing.assert_array_equal(golden.valued.portfolios.net[:, portfolio], total)


def _close_before(symbol: str, session: int) -> float:
    return float(closes()[symbol].iloc[session])


def _right_pnl_of_the_trading_book(golden: Golden) -> np.ndarray:
    """Return their P&L less what they count twice and from the wrong price, each worked out from prices and trades."""
    right = golden.theirs(P6_TRADING, "daily_pnl").copy()
    for place in golden.positions_of(P6_TRADING):
        terms = golden.positions[place].terms
        quantity = float(terms.quantity)
        if terms.entry_date in DAYS:
            session = DAYS.index(terms.entry_date)
            right[session] += quantity * (_close_before(terms.symbol, session) - float(terms.entry_price))
        for closing in terms.exits:
            session = DAYS.index(closing.on)
            price, entered = float(closing.price), float(terms.entry_price)
            # They add the gain since the entry and leave out the last day; only the last day is new.
            closed = float(closing.quantity or 0) * np.sign(quantity)
            right[session] += closed * ((price - _close_before(terms.symbol, session)) - (price - entered))
    return right


def test_defect_g4_realised_pnl_is_not_counted_twice(golden: Golden) -> None:
    difference = golden.theirs(P6_TRADING, "daily_pnl") - golden.ours(P6_TRADING, "pnl")
    # The three closing days: 15, 19 and 21 October.
    assert difference[[2, 4, 6]].tolist() == pytest.approx([6_722, 13_435, -9_298], abs=1)
    right = _right_pnl_of_the_trading_book(golden)
    np.testing.assert_allclose(golden.ours(P6_TRADING, "pnl"), right, rtol=0, atol=CENTS_OF_ROUNDING)
    # And so all that follows: equity from the first evening on, and cash.
    opening = golden.holdings.equity[P6_TRADING] / 100
    equity = opening + np.cumsum(right + golden.ours(P6_TRADING, "flow"))
    np.testing.assert_allclose(golden.ours(P6_TRADING, "equity"), equity, rtol=0, atol=CENTS_OF_ROUNDING)


def test_defect_g5_entry_day_is_marked_from_the_entry_price(golden: Golden) -> None:
    difference = golden.theirs(P6_TRADING, "daily_pnl") - golden.ours(P6_TRADING, "pnl")
    # The three entry days: 14, 16 and 20 October.
    assert difference[[1, 3, 5]].tolist() == pytest.approx([-879, 304, 359], abs=1)
    pnl = golden.valued.positions.pnl
    entered = [place for place in golden.positions_of(P6_TRADING) if golden.positions[place].terms.entry_date in DAYS]
    for place in entered:
        terms = golden.positions[place].terms
        session = DAYS.index(terms.entry_date)
        marked = float(terms.quantity) * (golden.marks[session + 1, place] - float(terms.entry_price))
        assert pnl[session, place] / 100 == pytest.approx(marked, abs=2 * HALF_A_CENT)
    assert len(entered) == 3


def test_defect_g6_option_is_worth_its_close_every_session(golden: Golden) -> None:
    # Their analytics carry the put at its cost of 76 200 for ever: no market value is ever stored for an option.
    (put,) = [
        place for place in golden.positions_of(P4_OPTIONS) if golden.positions[place].terms.kind is PositionType.LP
    ]
    states = output("positions_state")
    theirs = states[states["position_id"] == str(golden.positions[put].position_id)]
    assert theirs["market_value"].isna().all()
    assert golden.positions[put].terms.cost == 76_200
    prices = closes()[golden.positions[put].terms.symbol].to_numpy()[1:]
    assert golden.valued.positions.market_value[:, put].tolist() == np.rint(12 * 100 * prices * 100).tolist()
    assert golden.valued.positions.market_value[-1, put] == 2_060_400


def _concentration(values: np.ndarray) -> float:
    weights = np.abs(values) / np.abs(values).sum()
    return float(10_000 * (weights**2).sum())


def test_defect_g7_concentration_is_that_of_the_session_and_not_of_the_evening_before(golden: Golden) -> None:
    places = golden.positions_of(P3_NET_SHORT)
    values = golden.valued.positions.market_value[:, places].astype(np.float64)
    assert len({golden.positions[place].terms.symbol for place in places}) == len(places)
    theirs = golden.theirs(P3_NET_SHORT, "hhi")

    mine = [_concentration(row) for row in values]

    assert theirs[1:].tolist() == pytest.approx(mine[:-1], abs=0.6e-4)
    assert np.abs(theirs - mine).max() > 1


def test_defect_g7_stale_price_is_dated_and_the_move_is_booked_when_it_comes() -> None:
    # Theirs carries the price without a word, for ever, while P&L skips the position.
    valued = roll([position("AAA", "10", "90")], {"AAA": [101, NAN, NAN, 105]}, before={"AAA": 100})
    assert dollars(valued.portfolios.pnl) == [10, 0, 0, 40]
    assert valued.positions.mark_age[:, 0].tolist() == [0, 1, 2, 0]
    assert valued.positions.mark_source[1, 0] == MarkSource.CARRIED
    assert valued.portfolios.stale_positions[:, 0].tolist() == [0, 1, 1, 0]


def test_defect_g7_split_is_no_loss() -> None:
    # Theirs: 2 for 1 is a loss of a half.
    valued = roll([position("AAA", "10", "90")], {"AAA": [51]}, before={"AAA": 100}, splits={"AAA": [2]})
    assert dollars(valued.portfolios.pnl) == [20]
    assert valued.positions.quantity[0, 0] == 20


def test_defect_g22_debt_is_shown_as_negative_cash(golden: Golden) -> None:
    # The same books with a million less of their own: theirs would all show a cash of nothing.
    indebted = golden_world(less_equity="1000000")
    difference = indebted.valued.portfolios.cash - golden.valued.portfolios.cash
    assert set(np.unique(difference).tolist()) == {-100_000_000}
    assert (indebted.valued.portfolios.cash[:, [0, 1, 3, 4]] < 0).all()


def test_golden_trading_book_moves_cash_by_trades_and_flows_only(golden: Golden) -> None:
    cash = np.diff(golden.ours(P6_TRADING, "cash"))
    bought = {1: 107 * 372.7488, 3: 82 * 487.7328, 5: 510 * 65.6336}
    sold = {2: 100 * 359.9798, 4: 204 * 361.0107, 6: -173 * 295.3686}
    flows = {7: -20_000.0}
    expected = [sold.get(day, 0.0) - bought.get(day, 0.0) + flows.get(day, 0.0) for day in range(1, 9)]
    assert cash.tolist() == pytest.approx(expected, abs=0.011)
