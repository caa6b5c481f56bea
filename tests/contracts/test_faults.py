"""docs/faults.md names tests that there are, for each of its rows."""

from tests.support.methodology import Page, missing_tests
from tests.support.source import ROOT

FAULTS = Page("faults.md", (ROOT / "docs" / "faults.md").read_text())


def test_tests_that_the_page_names_exist() -> None:
    assert missing_tests(FAULTS) == []


def test_every_fault_is_shown_by_a_test() -> None:
    rows = list(FAULTS.tables("what happens", "what holds", "shown by"))

    assert rows
    assert [fault for fault, _, shown in rows if "::test_" not in shown] == []
