"""What changed since the session before, as the command shows it."""

from rich.console import Console, Group

from services.ops.client.answers.portfolios import ValueChanges
from services.ops.client.answers.risk import Figure, RiskChanges
from services.ops.client.changes import change_tables, load_changes
from tests.unit.ops.answers import measured
from tests.unit.ops.test_explanation import Asked

LACKING: Figure = {"value": None, "reason": "INSUFFICIENT_HISTORY", "detail": "12 of 63 returns", "of_covered": None}
VALUE: ValueChanges = {
    "before": {
        "as_of": "2022-12-27",
        "revision": 1,
        "known_at": "2022-12-27T22:00:00Z",
        "code_version": 2,
        "equity": "10000.00",
    },
    "after": {
        "as_of": "2022-12-28",
        "revision": 1,
        "known_at": "2022-12-28T22:00:00Z",
        "code_version": 2,
        "equity": "10640.00",
    },
    "total": "640.00",
    "parts": [{"part": "flows", "amount": "500.00"}, {"part": "prices", "amount": "140.00"}],
    "by_position": [
        {"symbol": "A&B", "positions": "0.00", "dividends": "0.00", "prices": "140.00", "total": "140.00"},
        {"symbol": "STILL", "positions": "0.00", "dividends": "0.00", "prices": "0.00", "total": "0.00"},
    ],
}
RISK: RiskChanges = {
    "before": {"as_of": "2022-12-27", "revision": 1, "known_at": "2022-12-27T22:00:00Z", "code_version": 2},
    "after": {"as_of": "2022-12-28", "revision": 1, "known_at": "2022-12-28T22:00:00Z", "code_version": 2},
    "changes": [
        {
            "measure": "market_beta",
            "before": measured(1.1),
            "after": measured(1.25),
            "total": measured(0.15),
            "parts": [{"part": "prices", "change": measured(0.15)}, {"part": "positions", "change": LACKING}],
        }
    ],
}


def _shown(client: Asked) -> str:
    found = load_changes(client, "p", as_of=None, since=None, revision=None)
    console = Console(width=160)
    with console.capture() as captured:
        console.print(Group(*change_tables(found)))
    return captured.get()


def test_changes_are_shown_from_before_to_after_with_what_moved_and_why_a_part_is_missing() -> None:
    shown = _shown(Asked({"GET /portfolios/p/changes": VALUE, "GET /risk/portfolios/p/changes": RISK}))

    assert "value as of 2022-12-28 since 2022-12-27: 640.00" in shown
    assert [word for word in ("10,000.00", "500.00", "140.00", "10,640.00") if word not in shown] == []
    assert "STILL" not in shown
    assert "12 of 63 returns" in shown


def test_portfolio_without_two_assessments_shows_its_value_alone() -> None:
    shown = _shown(Asked({"GET /portfolios/p/changes": VALUE}))

    assert "10,640.00" in shown
    assert "market_beta" not in shown
