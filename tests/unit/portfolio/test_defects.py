"""The predecessor's mistakes in valuing portfolios, by the numbers of its documentation, and our figures by hand.

Others are where their subject is: `grep test_defect_`.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from services.portfolio.core.portfolios import OpeningState
from services.portfolio.core.positions import Exit, PositionType
from services.portfolio.core.roll import roll as roll_inputs
from tests.unit.portfolio.rolls import NAN, dollars, position, roll
from tests.unit.portfolio.shards import portfolio, prices_of, shard_of

D2, D3, D4, D5 = (date(2025, 6, day) for day in (2, 3, 4, 5))


def test_defect_8_entry_day_is_marked_from_the_entry_price() -> None:
    # Bought at 55 on a day whose close goes from 52 to 53: -2 a share, where theirs books +1.
    valued = roll([position("CCC", "10", "55", D3)], {"CCC": [52, 53]})
    assert dollars(valued.portfolios.pnl) == [0, -20]


def test_defect_9_imported_closed_lot_earns_nothing_after_its_exit() -> None:
    # Imported with its exit at 104 on 3 June; prices go on.
    closed = position("AAA", "10", "90", D2, exits=(Exit(D3, Decimal(104)),))
    valued = roll([closed], {"AAA": [100, 103, 150, 200]})
    assert dollars(valued.portfolios.pnl) == [100, 40, 0, 0]
    assert dollars(valued.portfolios.gross) == [1_000, 0, 0, 0]
    assert valued.positions.active[:, 0].tolist() == [True, True, False, False]


def test_defect_9_lot_closed_before_the_book_was_opened_is_not_held() -> None:
    closed = position("AAA", "10", "90", exits=(Exit(date(2025, 3, 3), Decimal(95)),))
    valued = roll([closed], {"AAA": [150, 200]}, before={"AAA": 100})
    assert dollars(valued.portfolios.pnl) == [0, 0]
    assert valued.portfolios.positions[:, 0].tolist() == [0, 0]


def test_defect_14_book_without_positions_keeps_its_equity_as_cash() -> None:
    valued = roll([], {"AAA": [100, 101]}, flows=[(D3, "500")])
    assert dollars(valued.portfolios.equity) == dollars(valued.portfolios.cash) == [100_000, 100_500]
    assert valued.portfolios.twr_index.values[:, 0].tolist() == [1.0, 1.0]


def test_defect_17_equity_of_exactly_zero_goes_on_from_zero() -> None:
    inputs = shard_of([portfolio(1)], [], prices_of({"AAA": [100.0]}))
    wiped = replace(inputs, opening=OpeningState(equity={portfolio(1).portfolio_id: 0}, twr_index={}))
    assert roll_inputs(wiped).valuation.portfolios.equity.tolist() == [[0]]


def test_defect_18_cash_of_a_margined_book_is_negative() -> None:
    # 100,000 of equity in 1,500 shares at 100.
    valued = roll([position("AAA", "1500", "100", D2)], {"AAA": [100, 98]})
    assert dollars(valued.portfolios.cash) == [-50_000, -50_000]
    assert dollars(valued.portfolios.equity) == [100_000, 97_000]


def test_defect_19_one_carried_price_serves_pnl_and_exposure_however_old_it_is() -> None:
    # Theirs: none, five, ten days, or for ever, as you ask P&L, positions, betas or snapshots.
    gap = [NAN] * 6
    valued = roll([position("AAA", "10", "90")], {"AAA": [101, *gap, 107]}, before={"AAA": 100})
    assert dollars(valued.portfolios.pnl) == [10, 0, 0, 0, 0, 0, 0, 60]
    assert dollars(valued.portfolios.net) == [1_010] * 7 + [1_070]
    assert valued.positions.mark_age[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    assert valued.positions.stale[:, 0].tolist() == [False, *[True] * 6, False]


def test_defect_10_5_all_private_book_is_valued_at_cost_and_says_so() -> None:
    fund = position("FUND", "3", "100000", kind=PositionType.PRIVATE)
    debt = position("LOAN", "-1", "50000", kind=PositionType.PRIVATE)
    valued = roll([fund, debt], {"FUND": [1, 2]}, equity="300000")
    assert dollars(valued.portfolios.net) == [250_000, 250_000]
    assert dollars(valued.portfolios.pnl) == [0, 0]
    assert valued.portfolios.at_cost_positions[:, 0].tolist() == [2, 2]
    assert valued.portfolios.twr_index.values[:, 0].tolist() == [1.0, 1.0]


def test_defect_10_5_lots_of_one_symbol_are_all_kept() -> None:
    # Two lots of one day and one of another, one of them sold: each with a cost and a gain of its own.
    lots = [
        position("AAA", "10", "90", D2),
        position("AAA", "20", "95", D2, exits=(Exit(D3, Decimal(102), Decimal(5)),)),
        position("AAA", "-5", "99", D3),
    ]
    valued = roll(lots, {"AAA": [100, 101]})
    assert valued.positions.pnl.tolist() == [[10_000, 10_000, 0], [1_000, 15 * 100 + 5 * 200, -1_000]]
    assert valued.positions.realised_pnl[1].tolist() == [0, 5 * 700, 0]
    assert dollars(valued.portfolios.net)[1] == (10 + 15 - 5) * 101


@pytest.mark.parametrize(("kind", "quantity"), [("LC", "2"), ("SP", "-2")])
def test_defect_10_5_option_entered_for_nothing_is_refused(kind: str, quantity: str) -> None:
    with pytest.raises(ValueError, match="entry price of a"):
        position("AAAC", quantity, "0", kind=PositionType(kind))


def test_defect_11_8_positions_are_valued_from_their_entry_on() -> None:
    # AAA 100 @ 90 at 104: 10 400, 1 400 unrealised. BBB -50 @ 210 with a zero close: the 198 of the day before, -9 900,
    # 600. A put, 3 x 100 @ 2 at 4: 1 200, 600. What is bought on 4 June is nothing on the 3rd; theirs values it.
    book = [
        position("AAA", "100", "90", D2),
        position("BBB", "-50", "210", D2),
        position("PUT", "3", "2", D2, kind=PositionType.LP),
        position("CCC", "10", "55", D4),
    ]
    valued = roll(book, {"AAA": [103, 104], "BBB": [198, 0], "PUT": [3, 4], "CCC": [50, 52]})
    assert valued.positions.market_value[1].tolist() == [1_040_000, -990_000, 120_000, 0]
    assert valued.positions.unrealised_pnl[1].tolist() == [140_000, 60_000, 60_000, 0]
    assert valued.positions.stale[1].tolist() == [False, True, False, False]
    assert not valued.positions.active[:, 3].any()
