from datetime import UTC, date, datetime

import pytest

from services.market_data.core.attempts import Outcome
from services.market_data.core.lateness import waiting_for
from services.market_data.core.plans import PLANS

SAID = "2022-12-28 is complete there from 2022-12-29 05:00 UTC on"


@pytest.mark.parametrize(
    ("vendor", "plan", "session", "complete_at"),
    [
        ("massive", "free", date(2022, 12, 28), datetime(2022, 12, 29, 5, tzinfo=UTC)),
        ("massive", "free", date(2022, 7, 1), datetime(2022, 7, 2, 4, tzinfo=UTC)),  # summer time
        ("massive", "starter", date(2022, 12, 28), datetime(2022, 12, 28, 21, tzinfo=UTC)),
        ("massive", "starter", date(2022, 11, 25), datetime(2022, 11, 25, 18, tzinfo=UTC)),  # closed at one
        ("tiingo", "free", date(2022, 12, 28), datetime(2022, 12, 28, 22, 30, tzinfo=UTC)),
        ("tiingo", "free", date(2022, 11, 25), datetime(2022, 11, 25, 22, 30, tzinfo=UTC)),
        ("tiingo", "power", date(2022, 3, 11), datetime(2022, 3, 11, 22, 30, tzinfo=UTC)),
        ("tiingo", "power", date(2022, 3, 14), datetime(2022, 3, 14, 21, 30, tzinfo=UTC)),  # a weekend later
    ],
)
def test_vendor_has_a_session_complete_at_its_hour_of_new_york(
    vendor: str, plan: str, session: date, complete_at: datetime
) -> None:
    assert PLANS[vendor][plan].complete_at(session) == complete_at


def test_symbol_of_a_vendor_that_is_late_waits_for_it_and_another_one_goes_to_the_next() -> None:
    waiting = waiting_for(
        {"massive": SAID}, ["MINE", "NEW", "OTHER"], {"MINE": "massive", "OTHER": "tiingo"}, ["massive", "tiingo"]
    )

    assert {vendor: [*symbols] for vendor, symbols in waiting.items()} == {
        "massive": ["MINE", "NEW", "OTHER"],
        "tiingo": ["MINE"],
    }
    assert waiting["massive"]["NEW"].detail == SAID
    assert waiting["tiingo"]["MINE"].detail == "its bars are those of massive, which is late"
    assert {each.outcome for symbols in waiting.values() for each in symbols.values()} == {Outcome.NOT_ASKED}


def test_nobody_waits_where_nobody_is_late() -> None:
    assert waiting_for({}, ["KO"], {"KO": "massive"}, ["massive"]) == {}
