"""What is said of a book's corrections."""

import pytest

from services.ops.client.answers.books import Edit
from services.ops.client.books import print_edits


def test_correction_says_only_what_differs_and_exits_as_positions_do(capsys: pytest.CaptureFixture[str]) -> None:
    before: dict[str, object] = {"symbol": "AAPL", "quantity": "10", "exits": [], "option": None}
    sold = {"on": "2022-12-06", "price": "141.5", "quantity": None}
    edit: Edit = {
        "kind": "position",
        "subject_id": "1",
        "before": before,
        "after": {**before, "quantity": "12", "exits": [sold]},
        "edited_at": "2022-12-28T22:00:00Z",
        "edited_by": "olga",
    }

    print_edits([edit, {**edit, "before": edit["after"], "after": None}])

    said = capsys.readouterr().out
    assert "quantity 10 -> 12; exits none -> rest at 141.5 on 2022-12-06" in said
    assert "olga" in said
    assert "taken away: symbol AAPL, quantity 12, exits rest at 141.5 on 2022-12-06" in " ".join(said.split())
