"""The report page: self-contained, escaped, complete, and the same for the same numbers."""

import re
from html.parser import HTMLParser

import pytest

from services.ops.client import figures
from services.ops.client.figures import bars_figure, lines_figure, matrix_figure
from services.ops.client.reasons import SENTENCES, sentence
from services.ops.client.report_page import render_page
from services.portfolio.core.currency import ValueReason
from services.risk.core.coverage_floor import FigureReason
from shared.unavailable import Reason
from tests.unit.ops.answers import contributions, correlations, risk
from tests.unit.ops.overviews import overview


class _Page(HTMLParser):
    """Collects what a page would load, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.text: list[str] = []
        self.figures = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.figures += tag == "svg"
        if tag in {"script", "link", "img", "iframe", "object"}:
            self.loaded.append(tag)
        self.loaded += [
            value for name, value in attrs if name in {"src", "href"} and value and not value.startswith("#")
        ]

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())


@pytest.fixture(scope="module")
def page() -> str:
    """The page of the whole report; its figures take a second to draw."""
    return render_page(overview())


def test_page_loads_nothing(page: str) -> None:
    assert _Page(page).loaded == []


def test_page_escapes_what_people_have_named(page: str) -> None:
    assert "<book>" not in page
    assert "&lt;book&gt;" in page
    assert "2 <MISSING>" not in page


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the lines and bars of figures that are those of the whole report: others draw them to the end."""
    monkeypatch.setattr(figures, "_svg", lambda figure: "<svg></svg>")


def _first(page: str) -> str:
    """Return the text of the first page."""
    return " ".join(" ".join(_Page(page[page.index("<main") : page.index("</main>")]).text).split())


def test_first_page_says_what_it_is_worth_how_it_did_what_made_it_and_what_it_risks(page: str) -> None:
    text = _first(page)

    assert "28 December 2022 · amounts in USD" in text
    assert "value of the portfolio USD 101" in text
    assert "1 day +1.23 %" in text
    assert "Month to date \N{MINUS SIGN}4.56 %" in text
    assert "Since inception from 27 December 2022 +150.00 %" in text
    assert "A&B 100 99.0 % +3 Cash: USD 1." in text
    assert "since 27 December 2022, of the value then A&B +140 +1.40 %" in text
    assert "All 1 positions are valued at the close of 28 December 2022." in text
    assert "its value would move by 125.0 % in a typical year" in text
    assert "tends to move by 1.25 % (with it)" in text


def test_first_page_has_no_digests_and_no_codes(page: str) -> None:
    text = _first(page)

    assert "abc123" not in text
    assert re.findall(r"\b[A-Z]+_[A-Z]+\b", text) == []
    assert "digest abc123" in " ".join(_Page(page).text)


def test_short_history_is_a_sentence_and_no_code_anywhere_on_the_page(page: str) -> None:
    assert "INSUFFICIENT_HISTORY" not in page
    assert "There is not enough history yet (2 of 60 returns)." in page


def test_page_has_every_section_with_its_figures_and_reasons(page: str) -> None:
    shown = _Page(page)
    text = " ".join(shown.text)

    for title in ("Performance", "Positions", "Factor exposures", "Sectors", "Measures", "Stress", "Correlations"):
        assert title in text
    assert "Contributions to volatility" in text
    assert shown.figures == 8
    assert "P&L of market_down_10.model, factor by factor" in text
    assert "Data that this needs are missing (none of the holdings has this beta" in text
    assert "extrapolated: market; loss above gross exposure" in text
    assert "0.450 at an assumed 30.0%" in text
    assert "against SP500 of 2022-12-01" in text
    assert "10% of equity 4.20" in text
    assert "market -4.1 2022-09-13 -4.3%" in text
    assert "-12.3% 2022-12-27 2022-12-28 not yet" in text
    # Volatility as a percentage, and what a share of 5 % of a benchmark is.
    assert "volatility 63d 125.00 %" in text
    assert "5.0 % 85.0 %" in text


@pytest.mark.usefixtures("undrawn")
def test_paper_is_the_readers_choice_unless_it_is_said(page: str) -> None:
    assert "@page { size" not in page
    assert "@page { size: letter; }" in render_page(overview(), paper="letter")
    # Rows stay whole, heads of tables are said again, the appendix begins on a page of its own.
    for rule in ("break-inside: avoid", "table-header-group", "break-before: page", "@media (max-width"):
        assert rule in page


@pytest.mark.parametrize("name", [*Reason, *FigureReason, *ValueReason])
def test_every_reason_has_a_sentence(name: str) -> None:
    assert SENTENCES[name].isascii()
    assert sentence(name) == f"{SENTENCES[name]}."


def test_page_of_the_same_numbers_is_the_same(page: str) -> None:
    assert render_page(overview()) == page


@pytest.mark.usefixtures("undrawn")
def test_page_without_an_assessment_says_so() -> None:
    missing = dict.fromkeys(("risk", "stress", "worst_scenario", "correlations", "contributions", "earned"))

    page = _Page(render_page(overview(**missing)))

    assert "The risk of this portfolio has not been assessed yet." in page.text
    assert "There is no earlier session to compare with." in page.text
    assert page.figures == 2


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("detail", ["stress", "worst_scenario", "correlations", "contributions", "active_sectors"])
def test_page_leaves_out_what_was_not_there_yet(detail: str) -> None:
    assert render_page(overview(**{detail: None}))


def test_empty_book_has_a_page() -> None:
    empty = overview(
        positions=[],
        risk={**risk(), "sectors": []},
        correlations={**correlations(), "symbols": [], "matrix": [], "clusters": []},
        contributions={**contributions(), "holdings": [], "specific": None},
    )

    assert "Positions" in render_page(empty)


def test_figures_are_pictures_without_a_prologue() -> None:
    drawn = [
        lines_figure({"equity": [1.0, None, 2.0]}, ["2022-12-01", "2022-12-02", "2022-12-05"], units=("money",)),
        bars_figure(["a", "b"], {"direct": [1.0, None], "model": [-1.0, 0.5]}, axis_label="USD"),
        matrix_figure(["A", "B"], [[1.0, None], [None, 1.0]]),
    ]

    assert all(figure.startswith("<svg") and figure.rstrip().endswith("</svg>") for figure in drawn)
    assert all(re.search(r"<(path|use)", figure) for figure in drawn)
    assert "model" in drawn[1]
