"""What changed since the session before, as the command shows it."""

from rich.console import Console, Group

from services.ops.client.changes import change_tables, load_changes
from tests.unit.ops.overviews import RISK_CHANGED, VALUE_CHANGED
from tests.unit.ops.test_explanation import Asked


def _shown(client: Asked) -> str:
    found = load_changes(client, "p", as_of=None, since=None, revision=None)
    console = Console(width=160)
    with console.capture() as captured:
        console.print(Group(*change_tables(found)))
    return captured.get()


def test_changes_are_shown_from_before_to_after_with_what_moved_and_why_a_part_is_missing() -> None:
    shown = _shown(Asked({"GET /portfolios/p/changes": VALUE_CHANGED, "GET /risk/portfolios/p/changes": RISK_CHANGED}))

    assert "value as of 2022-12-28 since 2022-12-27: 640.00" in shown
    assert [word for word in ("10,000.00", "500.00", "140.00", "10,640.00") if word not in shown] == []
    assert "STILL" not in shown
    assert "12 of 63 returns" in shown


def test_portfolio_without_two_assessments_shows_its_value_alone() -> None:
    shown = _shown(Asked({"GET /portfolios/p/changes": VALUE_CHANGED}))

    assert "10,640.00" in shown
    assert "market_beta" not in shown
