"""How a backfill is told of, on a terminal of 80 columns."""

import pytest
from rich.console import Console

from services.ops.client import backfills
from services.ops.client.answers.backfills import Backfill, StepOutcome
from services.ops.client.backfills import print_backfills, print_shown

RUN_ID = "7798692a-de13-48df-979b-6920337a478e"
BACKFILL: Backfill = {
    "backfill_id": "0bd1f0f5-8f2c-4d59-8f0a-2a4f8d1b8f43",
    "first": "2022-11-29",
    "last": "2022-12-09",
    "symbols": None,
    "portfolio_ids": None,
    "reprocess": "missing",
    "status": "completed_with_errors",
    "requested_by": "nightly repair",
    "requested_at": "2022-12-10T03:00:00.123456Z",
    "progress": {
        "cells": 12_000,
        "done": 11_990,
        "unchanged": 40,
        "failed": 10,
        "steps": 120,
        "steps_ended": 118,
        "eta_s": 61.7,
    },
}
STEP: StepOutcome = {
    "place": 3,
    "first_session": "2022-11-29",
    "last_session": "2022-12-09",
    "symbols": 250,
    "portfolios": 0,
    "cells": 6750,
    "done": 6740,
    "unchanged": 0,
    "failed": 10,
    "status": "done",
    "run_id": RUN_ID,
}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfills, "console", lambda: Console(width=80))


def test_backfill_is_told_of_in_lines_that_do_not_break(capsys: pytest.CaptureFixture[str]) -> None:
    print_backfills([BACKFILL])

    assert capsys.readouterr().out.splitlines() == [
        "backfill 0bd1f0f5-8f2c-4d59-8f0a-2a4f8d1b8f43: completed_with_errors",
        "  missing cells of 2022-11-29 to 2022-12-09",
        "  asked for by nightly repair at 2022-12-10T03:00:00Z",
        "  11,990 of 12,000 cells done, 40 unchanged, 10 failed",
        "  118 of 120 steps, about 0:01:02 left",
    ]


def test_steps_fit_and_those_that_failed_name_their_run(capsys: pytest.CaptureFixture[str]) -> None:
    print_shown({"backfill": BACKFILL, "steps": [STEP, {**STEP, "failed": 0, "symbols": 0, "portfolios": 20}]})

    *_, one, other, _, failed = capsys.readouterr().out.splitlines()
    assert [cell.strip() for cell in one.split("│")[1:-1]] == [
        *("2022-11-29", "2022-12-09", "250 symbols", "6740/6750", "0", "10", "done"),
    ]
    assert "20 portfolios" in other
    assert failed == f"run {RUN_ID}: 10 cells failed"
