"""What shares are called: by whom and when."""

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market_data.core.names import CLASS_AFTER_DASH, NOBODY, Identifier, Names, Span, conflict, renames

ON = date(2022, 6, 9)
EVE = ON - timedelta(days=1)
META = Identifier("META", "FB", last_day=EVE)
AGAIN = date(2025, 1, 6)
MTA = Identifier("MTA", "META", first_day=ON, last_day=AGAIN - timedelta(days=1))


def test_share_that_was_renamed_twice_is_asked_for_by_todays_name_whatever_it_is_held_as() -> None:
    names = Names([MTA, META])

    for symbol in ("FB", "META", "MTA"):
        assert names.today(symbol) == "MTA"
        assert names.ways(symbol, "tiingo") == ((Span("MTA"),),)


def test_vendor_that_keeps_the_names_of_the_day_is_asked_for_each_on_its_days() -> None:
    spans = (Span("FB", date.min, EVE), Span("META", ON, MTA.last_day), Span("MTA", AGAIN, date.max))

    for symbol in ("FB", "META", "MTA"):
        assert Names([META, MTA]).ways(symbol, "massive") == (spans,)


def test_what_lies_on_this_machine_is_asked_for_as_it_is_held_and_then_by_todays_name() -> None:
    names = Names([META])

    assert names.ways("FB", "files") == ((Span("FB"),), (Span("META"),))
    assert names.ways("META", "files") == ((Span("META"),),)


@pytest.mark.parametrize("symbol", ["BRK.B", "BRK-B", "BRK/B"])
def test_class_of_a_share_is_one_share_in_any_spelling_and_spelled_as_the_vendor_does(symbol: str) -> None:
    asked = {vendor: Names().ways(symbol, vendor)[0][-1].name for vendor in ("yahoo", "fmp", "tiingo", "massive")}

    assert asked == {"yahoo": "BRK-B", "fmp": "BRK-B", "tiingo": "BRK-B", "massive": "BRK.B"}


@pytest.mark.parametrize("symbol", ["VOD.L", "BMW.F", "PNG.V", "SAP.DE"])
def test_exchange_behind_a_point_is_no_class_of_a_share(symbol: str) -> None:
    assert {Names().ways(symbol, vendor)[0][-1].name for vendor in CLASS_AFTER_DASH} == {symbol}


def test_what_is_said_of_one_vendor_is_asked_of_that_one_as_it_is_written() -> None:
    names = Names([Identifier("MKC.V", "MKC-V", "yahoo")])

    assert names.ways("MKC.V", "yahoo") == ((Span("MKC-V"),),), "an exchange by its looks, and a class of a share"
    assert names.ways("MKC.V", "tiingo") == ((Span("MKC.V"),),)


@pytest.mark.parametrize(
    ("new", "goes"),
    [
        (Identifier("META", "FB", last_day=EVE), True),
        (Identifier("FBX", "FB", first_day=ON, last_day=AGAIN), True),
        (Identifier("FBX", "FB", last_day=EVE), False),
        (Identifier("META", "THEFB", last_day=EVE), False),
        (Identifier("META", "THEFB", "massive"), True),
        (Identifier("FB", "META", first_day=ON, last_day=AGAIN), False),
    ],
)
def test_name_goes_with_what_is_known_where_no_day_has_two(new: Identifier, *, goes: bool) -> None:
    assert (conflict(new, [META]) is None) == goes


def test_ticker_events_are_the_former_names_of_todays() -> None:
    since = {ON: "META", date(2012, 5, 18): "FB", AGAIN: "MTA"}

    assert renames(since) == [
        Identifier("MTA", "FB", first_day=date(2012, 5, 18), last_day=EVE),
        Identifier("MTA", "META", first_day=ON, last_day=AGAIN - timedelta(days=1)),
    ]


@given(st.lists(st.dates(date(2000, 1, 1), date(2030, 1, 1)), min_size=1, max_size=6, unique=True), st.data())
def test_days_of_a_share_are_told_apart_without_a_gap_and_each_has_its_name(
    days: list[date], data: st.DataObject
) -> None:
    since = {day: f"N{number}" for number, day in enumerate(sorted(days))}
    names = Names(renames(since))

    (spans,) = names.ways(data.draw(st.sampled_from(sorted(since.values()))), "massive")

    assert (spans[0].first_day, spans[-1].last_day) == (date.min, date.max)
    for span, following in itertools.pairwise(spans):
        assert span.last_day + timedelta(days=1) == following.first_day
    for day, name in since.items():
        assert next(span.name for span in spans if span.first_day <= day <= span.last_day) == name


@pytest.mark.parametrize("symbol", ["HOME_EQUITY", "FO_GROWTH", "EQ_X", "EQ5D6A2D8F", "ACMEFUND"])
def test_private_name_goes_to_no_vendor_and_to_the_files_of_whoever_holds_it(symbol: str) -> None:
    names = Names([Identifier("ACMEFUND", "ACMEFUND", NOBODY)])

    assert {names.ways(symbol, vendor) for vendor in ("yahoo", "massive", "tiingo", "fmp", "yahooquery")} == {()}
    assert names.ways(symbol, "files") == ((Span(symbol),),)


@pytest.mark.parametrize("symbol", ["EQIX", "EQR", "EQH", "BRK.B", "BTC-USD", "7203.T", "^GSPC"])
def test_symbol_of_an_exchange_is_not_taken_for_a_private_name(symbol: str) -> None:
    assert Names().ways(symbol, "yahoo") != ()
