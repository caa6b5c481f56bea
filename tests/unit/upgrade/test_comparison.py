"""What may differ after an upgrade is what older code has computed, and nothing else passes for it."""

import json
from collections import Counter
from typing import Any

from tests.upgrade.comparison import MADE_BY, compared, newest, report

OLD, NEW = "2022-12-27", "2022-12-28"


def _rows(*rows: dict[str, Any]) -> Counter[str]:
    return Counter(json.dumps(row) for row in rows)


def _row(session: str, value: int, name: str = "a") -> dict[str, Any]:
    return {"as_of": session, "name": name, "value": value}


def test_equal_rows_are_counted_as_often_as_they_are_there() -> None:
    rows = {"snapshots": _rows(_row(OLD, 1), _row(OLD, 1), _row(NEW, 2))}
    (found,) = compared(rows, rows, older=["portfolio"], sessions=[OLD])
    assert (found.equal, found.of_older_code, found.others) == (3, 0, [])


def test_row_of_older_code_may_differ_in_its_sessions_alone() -> None:
    ours = {"snapshots": _rows(_row(OLD, 1), _row(NEW, 2))}
    theirs = {"snapshots": _rows(_row(OLD, 3), _row(NEW, 4))}
    (found,) = compared(ours, theirs, older=["portfolio"], sessions=[OLD])
    assert (found.equal, found.of_older_code) == (0, 2)
    assert [each.partition(":")[0] for each in found.others] == ["after the upgrade", "undisturbed"]


def test_what_another_service_has_changed_excuses_only_what_is_made_of_it() -> None:
    ours = {name: _rows(_row(OLD, 1)) for name in MADE_BY}
    theirs = {name: _rows(_row(OLD, 2)) for name in MADE_BY}
    excused = {
        service: {
            each.table
            for each in compared(ours, theirs, older=[service] if service else [], sessions=[OLD])
            if not each.others
        }
        for service in ("", "portfolio", "symbol_analytics", "risk")
    }
    books, symbols = {"snapshots", "position_values"}, {"symbol_estimates", "symbol_metrics"}
    risks = set(MADE_BY) - books - symbols
    assert excused == {"": set(), "portfolio": books | risks, "symbol_analytics": symbols | risks, "risk": risks}


def test_bars_and_rows_that_are_missing_are_excused_by_nothing() -> None:
    ours = {"bars": _rows(_row(OLD, 1)), "snapshots": _rows()}
    theirs = {"bars": _rows(_row(OLD, 2)), "snapshots": _rows(_row(NEW, 1))}
    bars, snapshots = compared(ours, theirs, older=["portfolio", "risk", "symbol_analytics"], sessions=[OLD])
    assert (len(bars.others), len(snapshots.others)) == (2, 1)
    assert [line.strip().partition(":")[0] for line in report([bars, snapshots])] == [
        *("bars", "after the upgrade", "undisturbed"),
        *("snapshots", "undisturbed"),
    ]


def test_what_was_computed_again_counts_as_it_was_computed_last() -> None:
    first, again = {"portfolio_id": "p", **_row(OLD, 1)}, {"portfolio_id": "p", **_row(OLD, 2)}
    other = {"portfolio_id": "q", **_row(OLD, 3), "revision": 1}
    ours = {"assessments": _rows({**first, "revision": 1}, {**again, "revision": 2}, other)}
    theirs = {"assessments": _rows({**again, "revision": 1}, other)}
    (found,) = compared(newest(ours), newest(theirs), older=[], sessions=[])
    assert (found.equal, found.others) == (2, [])
    (found,) = compared(
        newest(ours), newest({"assessments": _rows({**first, "revision": 1}, other)}), older=[], sessions=[]
    )
    assert len(found.others) == 2
