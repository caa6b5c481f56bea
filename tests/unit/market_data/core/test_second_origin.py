from datetime import date

import pytest

from services.market_data.core.findings import Finding, Rule
from services.market_data.core.second_origin import AT_MOST, ROUNDS, differing, whose_turn

DAY = date(2022, 3, 1)


def test_everybody_has_a_turn_once_in_a_round_whatever_the_order() -> None:
    symbols = [f"S{number}" for number in range(60)]

    turns = [whose_turn(symbols, number) for number in range(ROUNDS)]

    assert sorted(symbol for turn in turns for symbol in turn) == sorted(symbols)
    assert whose_turn(symbols[::-1], ROUNDS) == turns[0]
    assert len(whose_turn([f"S{number}" for number in range(5_000)], 3)) == AT_MOST


@pytest.mark.parametrize(("second", "differs"), [(100.5, False), (100.51, True), (99.5, False), (99.49, True)])
def test_close_that_differs_by_more_than_half_a_percent_is_told_with_both(second: float, differs: bool) -> None:
    found = differing(
        {"KO": 100.0, "PEP": 50.0}, {"KO": second}, session=DAY, other="b", source={"KO": "a", "PEP": "a"}
    )

    said = f"close 100 from a, {second:g} from b"
    assert found == ([Finding("KO", DAY, Rule.ORIGINS_DIFFER, said, "a", value=100.0)] if differs else [])
