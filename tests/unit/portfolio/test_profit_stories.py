"""P&L told as stories, every figure worked by hand."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from services.portfolio.core.marking import MarkSource
from services.portfolio.core.positions import Exit, Position, PositionType
from services.portfolio.core.valuation import Valuation
from shared.unavailable import Reason, Unavailable
from tests.unit.portfolio.rolls import NAN, dollars, position, roll

D2, D3, D4, D5 = (date(2025, 6, day) for day in (2, 3, 4, 5))


def the_book_of_june() -> Valuation:
    """Return the roll-forward vector of the predecessor's documentation, with 9 June processed."""
    return roll(
        [
            position("AAA", "100", "90", D2),
            position("BBB", "-50", "210", D2),
            position("AAAC", "2", "3", D2, kind=PositionType.LC),
            position("PRIV_FUND", "1", "20000", D2, kind=PositionType.PRIVATE),
            position("CCC", "10", "55", D4),
        ],
        {
            "AAA": [100, 101, 102, 104, 103, 105, 106, 107],
            "BBB": [200, 198, 199, NAN, 200, 202, 203, 204],
            "CCC": [50, 52, 53, 54, 55, 56, 57, 58],
            "AAAC": [5, 5.5, 6, 7, 6.5, 7, 7.5, 8],
        },
        flows=[(D4, "5000"), (date(2025, 6, 7), "-1000")],
    )


def test_roll_forward_of_june_pnl_is_marked_from_entry_prices_over_every_session() -> None:
    # 2 Jun  100 (100-90) - 50 (200-210) + 200 (5-3) = 1000 + 500 + 400; the fund has no price: 0
    # 3 Jun  100 + 100 + 100
    # 4 Jun  100 - 50 + 100, CCC bought at 55 closes at 53: -20            (predecessor: +10 from the close of 52)
    # 5 Jun  200 + 0 (BBB has no close) + 200 + 10
    # 6 Jun  -100 - 50 (200 from the 199 carried) - 100 + 10
    # 9 Jun  200 - 100 + 100 + 10;  10, 11 Jun  100 - 50 + 100 + 10
    assert dollars(the_book_of_june().portfolios.pnl) == [1900, 300, 130, 410, -240, 210, 160, 160]


def test_defect_7_withdrawal_on_a_saturday_belongs_to_monday() -> None:
    assert dollars(the_book_of_june().portfolios.flow) == [0, 0, 5000, 0, 0, -1000, 0, 0]


def test_roll_forward_of_june_equity_adds_up() -> None:
    equity = [101_900, 102_200, 107_330, 107_740, 107_500, 106_710, 106_870, 107_030]
    assert dollars(the_book_of_june().portfolios.equity) == equity


def test_roll_forward_of_june_exposures_are_those_of_the_predecessor() -> None:
    portfolios = the_book_of_june().portfolios
    # 9 June, which the predecessor's run leaves out: AAA 10 500, CCC 560, call 1 400, fund 20 000; BBB -10 100.
    assert dollars(portfolios.long_value) == [31_000, 31_200, 31_930, 32_340, 32_150, 32_460, 32_670, 32_880]
    assert dollars(portfolios.short_value) == [-10_000, -9_900, -9_950, -9_950, -10_000, -10_100, -10_150, -10_200]
    assert dollars(portfolios.gross) == [41_000, 41_100, 41_880, 42_290, 42_150, 42_560, 42_820, 43_080]
    assert dollars(portfolios.net) == [21_000, 21_300, 21_980, 22_390, 22_150, 22_360, 22_520, 22_680]


def test_roll_forward_of_june_cash_moves_by_trades_and_flows_only() -> None:
    # 100 000 - 9 000 + 10 500 - 600 - 20 000 = 80 900; 4 Jun - 550 + 5 000; 9 Jun - 1 000
    cash = [80_900, 80_900, 85_350, 85_350, 85_350, 84_350, 84_350, 84_350]
    assert dollars(the_book_of_june().portfolios.cash) == cash


def test_roll_forward_of_june_counts_positions() -> None:
    portfolios = the_book_of_june().portfolios
    assert portfolios.positions[:, 0].tolist() == [4, 4, 5, 5, 5, 5, 5, 5]
    assert portfolios.long_positions[:, 0].tolist() == [3, 3, 4, 4, 4, 4, 4, 4]
    assert portfolios.short_positions[:, 0].tolist() == [1] * 8
    assert portfolios.stale_positions[:, 0].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    assert portfolios.at_cost_positions[:, 0].tolist() == [1] * 8


def test_roll_forward_of_june_returns_are_on_the_capital_at_the_open() -> None:
    portfolios = the_book_of_june().portfolios
    expected = [1900 / 100_000, 300 / 101_900, 130 / 107_200, 410 / 107_330, -240 / 107_740]
    expected += [210 / 107_500, 160 / 106_710, 160 / 106_870]
    np.testing.assert_allclose(portfolios.daily_return.values[:, 0], expected, rtol=1e-15)
    np.testing.assert_allclose(portfolios.twr_index.values[:, 0], np.cumprod(1 + np.array(expected)), rtol=1e-15)


def test_roll_forward_of_june_stale_position_tells_its_age_and_the_fund_its_source() -> None:
    positions = the_book_of_june().positions
    assert positions.mark_age[:, 1].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    assert positions.mark_source[3, 1] == MarkSource.CARRIED
    assert positions.mark[3, 1] == 199
    assert set(positions.mark_source[:, 3].tolist()) == {MarkSource.COST}


def test_defect_16_first_session_of_a_book_earns_its_move_from_the_close_before() -> None:
    # Bought long ago at 90, worth 100 when the portfolio arrives: 101 - 100, never 101 - 90.
    valued = roll([position("AAA", "100", "90")], {"AAA": [101]}, before={"AAA": 100})
    assert dollars(valued.portfolios.pnl) == [100]
    assert dollars(valued.portfolios.cash) == [90_000]
    assert dollars(valued.positions.unrealised_pnl) == [1_100]


def test_defect_1_realised_pnl_is_not_added_on_top_of_marks() -> None:
    # Closes 100, 110; all 100 sold at 120 on 4 June. The predecessor adds the 3 000 from entry on top: 104 000.
    sold = position("AAA", "100", "90", exits=(Exit(D4, Decimal(120)),))
    valued = roll([sold], {"AAA": [100, 110, 120]}, before={"AAA": 100})
    assert dollars(valued.portfolios.pnl) == [0, 1_000, 1_000]
    assert dollars(valued.portfolios.exit_pnl) == [0, 0, 1_000]
    assert dollars(valued.portfolios.realised_pnl) == [0, 0, 3_000]
    assert dollars(valued.portfolios.equity) == [100_000, 101_000, 102_000]
    assert dollars(valued.portfolios.cash) == [90_000, 90_000, 102_000]
    assert dollars(valued.portfolios.gross) == [10_000, 11_000, 0]
    assert valued.positions.mark_source[2, 0] == MarkSource.EXIT
    assert valued.positions.mark[2, 0] == 120


def test_exit_partial_marks_the_sold_part_to_the_exit_price_and_the_rest_to_the_close() -> None:
    # 40 of 100 sold at 119, close 120: 40 (119 - 110) + 60 (120 - 110) = 360 + 600. Over cost 40 (119 - 90) = 1 160.
    sold = position("AAA", "100", "90", exits=(Exit(D4, Decimal(119), Decimal(40)),))
    valued = roll([sold], {"AAA": [100, 110, 120]}, before={"AAA": 100})
    assert dollars(valued.portfolios.pnl)[2] == 960
    assert dollars(valued.portfolios.exit_pnl)[2] == 360
    assert dollars(valued.portfolios.realised_pnl)[2] == 1_160
    assert dollars(valued.portfolios.equity)[2] == 101_960
    assert dollars(valued.portfolios.cash)[2] == 94_760  # 90 000 + 40 x 119
    assert dollars(valued.portfolios.gross)[2] == 7_200
    assert dollars(valued.positions.unrealised_pnl)[2] == 1_800  # 60 (120 - 90)


def test_defect_10_zero_close_is_no_close_and_no_gain_the_day_after() -> None:
    # Closes 100, 0, 102: the predecessor books P&L 0, 0, 10 200.
    valued = roll([position("AAA", "100", "90")], {"AAA": [100, 0, 102]}, before={"AAA": 100})
    assert dollars(valued.portfolios.pnl) == [0, 0, 200]
    assert valued.portfolios.stale_positions[:, 0].tolist() == [0, 1, 0]


def test_pnl_buy_then_partial_sell() -> None:
    # Bought 10 at 50 (close 52), then close 55, then 4 sold at 60 (close 58), then close 57.
    traded = position("AAA", "10", "50", D2, exits=(Exit(D4, Decimal(60), Decimal(4)),))
    valued = roll([traded], {"AAA": [52, 55, 58, 57]}, equity="1000")
    assert dollars(valued.portfolios.pnl) == [20, 30, 4 * 5 + 6 * 3, -6]
    assert dollars(valued.portfolios.realised_pnl) == [0, 0, 40, 0]
    assert dollars(valued.portfolios.cash) == [500, 500, 740, 740]
    # All P&L of its life is what was realised plus what is not: 40 + 6 (57 - 50).
    assert sum(dollars(valued.portfolios.pnl)) == 40 + dollars(valued.positions.unrealised_pnl)[3] == 82


def test_pnl_across_a_split() -> None:
    # 10 at 300; a 3:1 split on 3 June: 30 at 101 against 100 the evening before.
    valued = roll([position("AAA", "10", "240", D2)], {"AAA": [300, 101]}, splits={"AAA": [1, 3]})
    assert dollars(valued.portfolios.pnl) == [600, 30]
    assert valued.positions.quantity[:, 0].tolist() == [10, 30]
    assert dollars(valued.positions.unrealised_pnl) == [600, 630]


def test_pnl_across_a_split_without_a_close_carries_the_split_price() -> None:
    valued = roll([position("AAA", "10", "240", D2)], {"AAA": [300, NAN, 101]}, splits={"AAA": [1, 3, 1]})
    assert dollars(valued.portfolios.pnl) == [600, 0, 30]
    assert valued.positions.mark[:, 0].tolist() == [300, 100, 101]


def test_pnl_of_shares_sold_before_a_split_is_not_split() -> None:
    # 4 of 10 sold at 310 on 3 June (close 306), then 3 for 1: 18 at 103 against 102. All of another lot is sold before.
    part = position("AAA", "10", "240", D2, exits=(Exit(D3, Decimal(310), Decimal(4)),))
    whole = position("AAA", "5", "240", D2, exits=(Exit(D3, Decimal(310)),))
    valued = roll([part, whole], {"AAA": [300, 306, 103]}, splits={"AAA": [1, 1, 3]})
    assert valued.positions.quantity.tolist() == [[10, 5], [6, 0], [18, 0]]
    assert valued.positions.pnl.tolist() == [[60_000, 30_000], [4 * 1_000 + 6 * 600, 5_000], [18 * 100, 0]]
    assert valued.positions.realised_pnl[1].tolist() == [4 * 7_000, 5 * 7_000]
    # The cost of what is left stays: 6 x 240.
    assert valued.positions.cost[:, 0].tolist() == [240_000, 144_000, 144_000]


def test_pnl_of_shares_bought_on_the_day_of_a_split_is_in_new_shares() -> None:
    valued = roll([position("AAA", "10", "99", D3)], {"AAA": [300, 101]}, splits={"AAA": [1, 3]})
    assert valued.positions.quantity[:, 0].tolist() == [0, 10]
    assert dollars(valued.portfolios.pnl) == [0, 20]


def test_pnl_of_a_short_across_a_reverse_split() -> None:
    # Short 30 at 10; 1 for 10: short 3 at 105 against 100.
    valued = roll([position("AAA", "-30", "11", D2)], {"AAA": [10, 105]}, splits={"AAA": [1, 0.1]})
    assert valued.positions.quantity[:, 0].tolist() == [-30, -3]
    assert dollars(valued.portfolios.pnl) == [30, -15]


def test_roll_forward_of_june_with_a_skipped_session_catches_up_to_the_same_numbers() -> None:
    # The vector leaves 9 June out and loses its 210 for ever. Here the run of 10 June values the 9th first.
    portfolios = the_book_of_june().portfolios
    assert dollars(portfolios.pnl)[5] == 210
    assert sum(dollars(portfolios.pnl)) == 3_030
    assert dollars(portfolios.equity)[-1] == 100_000 + 3_030 + 5_000 - 1_000


def test_pnl_partial_exit_on_the_day_of_a_split_counts_new_shares() -> None:
    # 10 become 30 on 3 June, 12 of them sold at 102: 12 x 2 + 18 x 1.
    sold = position("AAA", "10", "240", D2, exits=(Exit(D3, Decimal(102), Decimal(12)),))
    valued = roll([sold], {"AAA": [300, 101]}, splits={"AAA": [1, 3]})
    assert dollars(valued.portfolios.pnl) == [600, 42]
    assert dollars(valued.portfolios.realised_pnl) == [0, 12 * (102 - 80)]


def test_pnl_short_pays_the_dividend() -> None:
    # Short 50 from 20; on 3 June the price falls by the dividend of 0.40: P&L 20 from the price, -20 paid.
    valued = roll([position("AAA", "-50", "20", D2)], {"AAA": [20, 19.6]}, dividends={"AAA": [0, 0.4]})
    assert dollars(valued.portfolios.dividends) == [0, -20]
    assert dollars(valued.portfolios.pnl) == [0, 0]
    assert dollars(valued.portfolios.cash) == [101_000, 100_980]


def test_pnl_dividend_goes_to_who_held_at_the_previous_close() -> None:
    # Sold on the ex-date: still paid. Bought on the ex-date: not.
    seller = position("AAA", "100", "20", exits=(Exit(D2, Decimal(20)),))
    buyer = position("AAA", "100", "20", D2)
    valued = roll([seller, buyer], {"AAA": [20]}, before={"AAA": 20}, dividends={"AAA": [0.4]})
    assert valued.positions.dividends.tolist() == [[4_000, 0]]


def test_pnl_dividend_on_the_day_of_a_split_is_a_new_share() -> None:
    valued = roll(
        [position("AAA", "10", "300")],
        {"AAA": [100]},
        before={"AAA": 300},
        splits={"AAA": [3]},
        dividends={"AAA": [0.5]},
    )
    assert dollars(valued.portfolios.pnl) == [15]


def test_pnl_bought_and_sold_in_one_session() -> None:
    day_trade = position("AAA", "10", "50", D3, exits=(Exit(D3, Decimal(53)),))
    valued = roll([day_trade], {"AAA": [51, 55]})
    assert dollars(valued.portfolios.pnl) == [0, 30]
    assert dollars(valued.portfolios.realised_pnl) == [0, 30]
    assert dollars(valued.portfolios.cash) == [100_000, 100_030]


def test_pnl_entered_without_a_close_stays_at_the_entry_price_until_one_comes() -> None:
    # The close of 52 before the purchase at 55 is older than the purchase.
    valued = roll([position("AAA", "10", "55", D3)], {"AAA": [52, NAN, NAN, 54]})
    assert dollars(valued.portfolios.pnl) == [0, 0, 0, -10]
    assert valued.positions.mark_source[1:, 0].tolist() == [MarkSource.COST, MarkSource.COST, MarkSource.CLOSE]
    assert valued.positions.mark_age[1:, 0].tolist() == [0, 1, 0]


def test_pnl_entered_on_a_saturday_is_booked_on_monday() -> None:
    bought = position("AAA", "10", "50", date(2025, 6, 7))
    valued = roll([bought], {"AAA": [50, 50, 50, 50, 50, 53]})
    assert dollars(valued.portfolios.pnl) == [0, 0, 0, 0, 0, 30]
    assert valued.positions.active[:, 0].tolist() == [False] * 5 + [True]


def test_pnl_private_holding_is_not_marked_by_a_listed_namesake() -> None:
    fund = position("FUND", "10", "100", kind=PositionType.PRIVATE)
    valued = roll([fund], {"FUND": [103]}, before={"FUND": 101})
    assert dollars(valued.portfolios.pnl) == [0]
    assert valued.portfolios.at_cost_positions[0, 0] == 1


def test_pnl_short_put_loses_a_hundredfold() -> None:
    # Two puts sold at 4.00, close 4.50: -2 x 100 x 0.50.
    valued = roll([position("AAAP", "-2", "4", D2, kind=PositionType.SP)], {"AAAP": [4.5]})
    assert dollars(valued.portfolios.pnl) == [-100]
    assert dollars(valued.portfolios.short_value) == [-900]


def test_exit_of_more_than_is_held_closes_what_there_is_and_says_so() -> None:
    sold = position("AAA", "10", "50", D2, exits=(Exit(D3, Decimal(60), Decimal(11)),))
    valued = roll([sold], {"AAA": [50, 60]})
    assert dollars(valued.portfolios.pnl) == [0, 100]
    assert valued.positions.oversold[:, 0].tolist() == [False, True]


def test_exits_several_in_one_session_happen_in_their_order() -> None:
    exits = (Exit(D3, Decimal(60), Decimal(3)), Exit(D3, Decimal(62), Decimal(2)), Exit(D3, Decimal(61)))
    valued = roll([position("AAA", "10", "50", D2, exits=exits)], {"AAA": [55, 70]})
    # 3 x 60 + 2 x 62 + 5 x 61 = 609 for what was worth 550 and cost 500
    assert dollars(valued.portfolios.pnl) == [50, 59]
    assert dollars(valued.portfolios.realised_pnl) == [0, 109]
    assert valued.positions.quantity[:, 0].tolist() == [10, 0]


def test_exit_of_decimal_parts_leaves_exactly_nothing() -> None:
    # 0.3 - 0.1 - 0.2 is 2.8e-17 in floats.
    exits = (Exit(D3, Decimal(60), Decimal("0.1")), Exit(D3, Decimal(60), Decimal("0.2")))
    valued = roll([position("AAA", "0.3", "50", D2, exits=exits)], {"AAA": [55, 70]})
    assert valued.positions.quantity[1, 0] == 0
    assert not valued.positions.oversold.any()
    assert dollars(valued.portfolios.gross)[1] == 0


@pytest.mark.parametrize(("equity", "flow"), [("0", "0"), ("-50", "0"), ("-100", "100")])
def test_daily_return_without_positive_capital_is_degenerate(equity: str, flow: str) -> None:
    valued = roll([position("AAA", "1", "50")], {"AAA": [55]}, before={"AAA": 50}, equity=equity, flows=[(D2, flow)])
    why = valued.portfolios.daily_return.at((0, 0))
    assert isinstance(why, Unavailable)
    assert why.reason is Reason.DEGENERATE_INPUT
    assert isinstance(valued.portfolios.twr_index.at((0, 0)), Unavailable)


def test_twr_index_waits_for_the_first_contribution() -> None:
    valued = roll([position("AAA", "10", "50", D4)], {"AAA": [50, 50, 55]}, equity="0", flows=[(D4, "1000")])
    assert valued.portfolios.twr_index.values[:, 0].tolist() == [1.0, 1.0, 1.05]


@pytest.mark.parametrize("withdrawn", ["9990", "10099", "10100"])
def test_withdrawal_leaves_at_the_close_of_its_session_and_an_emptied_book_waits(withdrawn: str) -> None:
    # 100 bought at 100, all sold at 101, and the money taken out on the day of the sale: 100 on 10,000 is 1 %.
    held = position("SOLD", "100", "100", D2, exits=(Exit(D4, Decimal(101)),))
    flows = [(D4, f"-{withdrawn}"), (date(2025, 6, 6), "5000")]

    portfolios = roll([held], {"SOLD": [100, 100, 101, 101, 101]}, equity="10000", flows=flows).portfolios

    left = 10_100 - float(withdrawn)
    assert dollars(portfolios.equity) == [10_000, 10_000, left, left, left + 5_000]
    assert portfolios.daily_return.values[:3, 0].tolist() == [0.0, 0.0, 0.01]
    assert portfolios.twr_index.values[:, 0].tolist() == [1.0, 1.0, 1.01, 1.01, 1.01]


def test_both_directions_of_a_session_are_kept_apart() -> None:
    # Paid in at the open it earns with the rest; what leaves at the close has earned too: 100 on 10,000 + 10,000.
    held = position("AAA", "100", "50")
    flows = [(D2, "10000"), (D2, "-10000")]

    portfolios = roll([held], {"AAA": [51]}, before={"AAA": 50}, equity="10000", flows=flows).portfolios

    assert (portfolios.contributions[0, 0], portfolios.withdrawals[0, 0]) == (1_000_000, 1_000_000)
    assert portfolios.daily_return.values[0, 0] == 100 / 20_000
    assert dollars(portfolios.equity) == [10_100]


@pytest.mark.parametrize(
    ("beside", "closes", "carried"),
    [
        ([], {}, [0, 1, 1, 0]),
        ([position("PRIV_FUND", "1", "20000", D2, kind=PositionType.PRIVATE)], {}, [0, 1, 1, 0]),
        ([position("BBB", "1", "50", D2)], {"BBB": [50, NAN, 51, 52]}, [0, 2, 0, 0]),
    ],
)
def test_book_without_a_close_of_the_session_has_no_return_of_it(
    beside: list[Position], closes: dict[str, list[float]], carried: list[int]
) -> None:
    # AAA has no close for two sessions: nothing happened that anybody knows of, which is no return of nothing.
    aaa = position("AAA", "10", "50", D2)

    portfolios = roll([aaa, *beside], {"AAA": [50, NAN, NAN, 55], **closes}, equity="30000").portfolios

    for session, marks in enumerate(carried):
        held = 1 + len(beside)
        why = portfolios.daily_return.at((session, 0))
        age = session if not closes else 1
        detail = f"{marks} of {held} marks carried, the oldest {age} session{'' if age == 1 else 's'} old"
        assert why == Unavailable(Reason.STALE_INPUT, detail) if marks else isinstance(why, float)
    assert np.isfinite(portfolios.twr_index.values).all()


def test_twr_index_ends_with_a_loss_above_the_capital() -> None:
    valued = roll([position("AAA", "-10", "50", D2)], {"AAA": [50, 80, 60]}, equity="200")
    assert valued.portfolios.twr_index.at((0, 0)) == 1.0
    assert isinstance(valued.portfolios.twr_index.at((1, 0)), Unavailable)
    assert isinstance(valued.portfolios.twr_index.at((2, 0)), Unavailable)


def test_defect_20_flow_is_capital_from_the_open_and_never_performance() -> None:
    valued = roll([position("AAA", "10", "50")], {"AAA": [55]}, before={"AAA": 50}, equity="500", flows=[(D2, "500")])
    assert valued.portfolios.daily_return.values[0, 0] == 0.05
    assert dollars(valued.portfolios.equity) == [1_050]
