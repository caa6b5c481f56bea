"""The report page: self-contained, escaped, complete, and the same for the same numbers."""

import re
from html.parser import HTMLParser

import pytest

from services.ops.client import figures
from services.ops.client.figures import bars_figure, lines_figure, matrix_figure
from services.ops.client.portfolio_report import PortfolioReport
from services.ops.client.report_page import render_page
from tests.unit.ops.answers import contributions, correlations, report, risk


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
    return render_page(report())


def test_page_loads_nothing(page: str) -> None:
    assert _Page(page).loaded == []


def test_page_escapes_what_people_have_named(page: str) -> None:
    assert "<book>" not in page
    assert "&lt;book&gt; as of 2022-12-28" in page
    assert "2 <MISSING>" not in page


def test_page_has_every_section_with_its_figures_and_reasons(page: str) -> None:
    shown = _Page(page)
    text = " ".join(shown.text)

    for title in ("Performance", "Positions", "Factor exposures", "Sectors", "Measures", "Stress", "Correlations"):
        assert title in text
    assert "Contributions to volatility" in text
    assert shown.figures == 7
    assert "P&L of market_down_10.model, factor by factor" in text
    assert "MISSING_DATA: none of the holdings has this beta" in text
    assert "extrapolated: market; loss above gross exposure" in text
    assert "digest abc123" in text
    assert "0.450 at an assumed 30.0%" in text
    assert "against SP500 of 2022-12-01" in text
    assert "10% of equity 4.20" in text
    assert "market -4.1 2022-09-13 -4.3%" in text
    assert "-12.3% 2022-12-27 2022-12-28 not yet" in text


def test_page_of_the_same_numbers_is_the_same(page: str) -> None:
    assert render_page(report()) == page


def test_page_without_an_assessment_says_so() -> None:
    unassessed: PortfolioReport = {
        **report(),
        "risk": None,
        "stress": None,
        "worst_scenario": None,
        "correlations": None,
        "contributions": None,
    }

    page = _Page(render_page(unassessed))

    assert "not assessed" in " ".join(page.text)
    assert page.figures == 1


@pytest.mark.parametrize("detail", ["stress", "worst_scenario", "correlations", "contributions", "active_sectors"])
def test_page_leaves_out_what_was_not_there_yet(detail: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The figures that are left are those of the whole report, which others draw to the end.
    monkeypatch.setattr(figures, "_svg", lambda figure: "<svg></svg>")
    found = report()
    found[detail] = None  # type: ignore[literal-required]

    assert render_page(found)


def test_empty_book_has_a_page() -> None:
    empty: PortfolioReport = {
        **report(),
        "positions": [],
        "risk": {**risk(), "sectors": []},
        "correlations": {**correlations(), "symbols": [], "matrix": [], "clusters": []},
        "contributions": {**contributions(), "holdings": [], "specific": None},
    }

    assert "Positions" in render_page(empty)


def test_figures_are_pictures_without_a_prologue() -> None:
    drawn = [
        lines_figure({"equity": [1.0, None, 2.0]}, ["2022-12-01", "2022-12-02", "2022-12-05"]),
        bars_figure(["a", "b"], {"direct": [1.0, None], "model": [-1.0, 0.5]}, axis_label="USD"),
        matrix_figure(["A", "B"], [[1.0, None], [None, 1.0]]),
    ]

    assert all(figure.startswith("<svg") and figure.rstrip().endswith("</svg>") for figure in drawn)
    assert all(re.search(r"<(path|use)", figure) for figure in drawn)
    assert "model" in drawn[1]
