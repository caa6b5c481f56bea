"""What is traded no more: worth its last close, marked, and part of nothing that is computed from exposures."""

from services.portfolio.core.inheritance import LastClose
from services.portfolio.core.marking import MarkSource
from services.portfolio.core.positions import PositionType
from tests.unit.portfolio.rolls import NAN, dollars, position, roll


def test_holding_without_a_close_for_twenty_sessions_keeps_its_value_and_says_so() -> None:
    before = {"AAA": LastClose(100.0, 18)}

    valued = roll([position("AAA", "10", "90")], {"AAA": [NAN, NAN, NAN, 107]}, before=before)

    marks = valued.positions.mark_source[:, 0].tolist()
    assert marks == [MarkSource.CARRIED, MarkSource.DELISTED, MarkSource.DELISTED, MarkSource.CLOSE]
    assert valued.positions.mark_age[:, 0].tolist() == [19, 20, 21, 0]
    assert dollars(valued.portfolios.net) == [1_000, 1_000, 1_000, 1_070]
    assert dollars(valued.portfolios.pnl) == [0, 0, 0, 70]
    assert valued.portfolios.stale_positions[:, 0].tolist() == [1, 1, 1, 0]
    assert valued.positions.delisted[:, 0].tolist() == [False, True, True, False]


def test_contract_and_private_holding_are_never_delisted() -> None:
    contract = position("AAA250620C00100000", "1", "4", kind=PositionType.LC)
    fund = position("FUND", "3", "100", kind=PositionType.PRIVATE)
    closes = {"AAA250620C00100000": [NAN] * 3, "FUND": [NAN] * 3}

    valued = roll([contract, fund], closes, before={"AAA250620C00100000": LastClose(5.0, 30)})

    assert not valued.positions.delisted.any()
    assert set(valued.positions.mark_source[:, 0].tolist()) == {MarkSource.CARRIED}
