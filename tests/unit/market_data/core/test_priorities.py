from datetime import date

from services.market_data.core.priorities import in_order


def test_proxies_come_before_what_is_held_longest_and_the_rest_last() -> None:
    held = {"NEW": date(2022, 5, 2), "OLD": date(2015, 1, 2), "SPY": date(2021, 1, 4)}

    ordered = in_order(["REST", "NEW", "ALSO", "SPY", "OLD", "TLT"], proxies={"SPY", "TLT"}, held=held)

    assert ordered == ["SPY", "TLT", "OLD", "NEW", "ALSO", "REST"]
