"""The one screen about a portfolio: what it must say, and what it must not hide."""

from collections.abc import Callable
from datetime import date
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from services.ops.client.commands.showing import Section
from services.ops.client.portfolio_overview import PortfolioOverview, judged_session, overview_tables
from services.ops.client.portfolio_tables import SECTIONS, print_portfolio
from tests.unit.ops.answers import report
from tests.unit.ops.overviews import overview


def _screen(found: PortfolioOverview) -> str:
    screen = StringIO()
    for part in overview_tables(found):
        Console(file=screen, width=80).print(part)
    return screen.getvalue()


def test_overview_says_what_the_book_is_worth_how_it_did_and_how_it_stands() -> None:
    screen = _screen(overview())

    assert "<book> as of 2022-12-28" in screen
    for shown in ("1.23%", "-4.56%", "INSUFFICIENT_HISTORY", "150.00%", "deepest fall"):
        assert shown in screen
    assert "blocked as of 2022-12-29" in screen
    assert "AAPL has no bar: ask the vendor" in screen


def test_old_prices_are_said_before_any_number_and_fresh_ones_are_not() -> None:
    stale = {
        **report()["snapshot"],
        "positions": 12,
        "stale_positions": 12,
        "oldest_mark": 982,
        "stale_gross": "100.00",
    }

    screen = _screen(overview(snapshot=stale))

    said = "12 of 12 marks carried, the oldest 982 sessions old, 100.0% of gross"
    assert screen.index(said) < screen.index("<book> as of")
    assert "carried" not in _screen(overview())


def test_readiness_is_asked_of_the_session_on_or_before_a_day() -> None:
    days = (None, date(2022, 12, 23), date(2022, 12, 26), date.max)

    assert [judged_session(day) for day in days] == [None, date(2022, 12, 23), date(2022, 12, 23), None]


def test_overview_fits_on_one_screen() -> None:
    screen = _screen(overview(positions=[dict(position) for position in report()["positions"]] * 100))
    assert len(screen.splitlines()) <= 48


def test_overview_of_a_book_without_risk_says_so() -> None:
    assert "risk has not been assessed" in _screen(overview(risk=None, stress=None, worst_scenario=None))


def test_largest_positions_come_first_whatever_their_side() -> None:
    small, large, short = ({**report()["positions"][0], "symbol": symbol} for symbol in ("SMALL", "LARGE", "SHORT"))
    small["market_value"], large["market_value"], short["market_value"] = "10.00", "3000.00", "-2000.00"

    screen = _screen(overview(positions=[small, large, short]))

    assert screen.index("LARGE") < screen.index("SHORT") < screen.index("SMALL")


def test_share_of_equity_is_not_said_where_there_is_none() -> None:
    broke = {**report()["snapshot"], "equity": "-5.00"}
    assert "%" not in next(line for line in _screen(overview(snapshot=broke)).splitlines() if "AAPL " in line)


@pytest.mark.parametrize(("wanted", "others"), [({"positions"}, ["stress"]), ({"all"}, [])])
def test_sections_that_are_asked_for_are_shown_and_no_others(
    capsys: pytest.CaptureFixture[str], wanted: set[str], others: list[str]
) -> None:
    print_portfolio(overview(), wanted)

    lines = capsys.readouterr().out.splitlines()
    assert "positions" in lines
    assert [other for other in others if other in lines] == []
    assert ("stress" in lines) is ("all" in wanted)


def test_every_section_that_can_be_asked_for_is_drawn() -> None:
    assert {section.value for section in Section} == {*SECTIONS, "all"}


@pytest.mark.parametrize("name", SECTIONS)
def test_section_of_a_book_without_details_is_words_not_an_error(name: str) -> None:
    bare = overview(risk=None, stress=None, worst_scenario=None, readiness=None)
    draw: Callable[[PortfolioOverview], Any] = SECTIONS[name]
    assert list(draw(bare))
