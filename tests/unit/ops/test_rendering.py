from collections.abc import Sequence
from io import StringIO

import pytest
from rich.console import Console

from services.ops.client.answers.findings import FindingCount
from services.ops.client.answers.numbers import Measure
from services.ops.client.answers.risk import Figure
from services.ops.client.answers.runs import Cause, Failure, RunReport, Stage
from services.ops.client.rendering import (
    cause_table,
    findings_line,
    measure_row,
    number,
    run_succeeded,
    stage_table,
    table,
)


def _run(
    status: str, *, failures: Sequence[Failure] = (), missing: Sequence[str] = (), causes: Sequence[Cause] = ()
) -> RunReport:
    return {
        "run": {
            "run_id": "1",
            "kind": "on_demand",
            "first_session": "2022-12-27",
            "last_session": "2022-12-28",
            "requested_by": "cli",
        },
        "status": status,
        "requested_at": "2022-12-28T22:00:00Z",
        "finished_at": None,
        "seconds": 2.25,
        "eta": None,
        "stages": [_STAGE],
        "failures": [*failures],
        "missing": [*missing],
        "causes": [*causes],
        "findings": {"findings": 0, "rules": []},
        "requests": {"vendors": []},
    }


_STAGE: Stage = {
    "stage": "prices.updated",
    "parts_done": 2,
    "parts_total": 3,
    "subjects": 7,
    "failures": 1,
    "seconds": 1.5,
}
_FAILURE: Failure = {
    "stage": "prices.updated",
    "subject": "NOPE",
    "reason": "MISSING_DATA",
    "detail": "nobody knows it",
}


def test_id_is_in_one_piece_however_narrow_the_terminal_is() -> None:
    run_id = "3f0e8a52-5d0c-4a77-9c3e-1f8f5a1f9a11"
    long = "a word " * 20
    screen = StringIO()

    Console(file=screen, width=80).print(table("runs", ("what", "why", "run"), [(long, long, run_id)]))

    assert run_id in screen.getvalue()


def _drawn(renderable: object) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


@pytest.mark.parametrize(
    ("run", "succeeded"),
    [
        (_run("completed"), True),
        (_run("completed_with_errors", failures=[_FAILURE]), False),
        (_run("completed", failures=[_FAILURE]), False),
        (_run("failed", missing=["prices.updated: 2 of 3 parts"]), False),
        (_run("completed_with_errors"), False),
    ],
)
def test_run_succeeded_is_told_only_without_failures(run: RunReport, succeeded: bool) -> None:
    assert run_succeeded(run) is succeeded


def test_stage_table_shows_parts_subjects_failures_and_seconds() -> None:
    drawn = _drawn(stage_table(_run("completed")))

    assert "on_demand run of 2022-12-27 to 2022-12-28: completed in 2.25 s" in drawn
    cells = [cell.strip() for cell in drawn.split("│")]
    assert cells[1:6] == ["prices.updated", "2/3", "7", "1", "1.50"]


def test_stage_table_before_first_part_does_not_know_the_total() -> None:
    stage: Stage = {**_STAGE, "parts_done": 0, "parts_total": None, "seconds": None}
    run: RunReport = {**_run("active"), "seconds": None, "stages": [stage]}

    assert "0/?" in _drawn(stage_table(run))


def test_cause_table_has_a_line_a_cause_with_what_came_of_it_and_what_never_came() -> None:
    cause: Cause = {
        "stage": "prices.updated",
        "reason": "MISSING_DATA",
        "detail": "nobody knows it",
        "subjects": 18,
        "first_subjects": [f"S{index:02}" for index in range(18)],
        "then": ["symbols.factored", "symbols.measured"],
        "portfolios": 2,
        "first_portfolios": [{"portfolio_id": "p", "name": "mine"}, {"portfolio_id": "q", "name": None}],
    }
    drawn = _drawn(cause_table(_run("failed", causes=[cause], missing=["portfolios.valued: every part"])))

    (line,) = [line for line in drawn.splitlines() if "prices.updated" in line]
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        "prices.updated",
        "MISSING_DATA",
        "nobody knows it",
        "18",
        "S00, S01, S02, S03, S04, 13 more",
        "symbols.factored symbols.measured",
        "mine, q",
    ]
    assert "portfolios.valued: every part" in drawn


def test_cause_table_of_clean_run_is_none() -> None:
    assert cause_table(_run("completed")) is None


def test_table_with_markup_in_a_cell_shows_it_as_it_is() -> None:
    assert "[red]x[/red]" in _drawn(table("t", ("a",), [("[red]x[/red]",)]))


@pytest.mark.parametrize(
    ("value", "shown"), [(None, ""), (0.0, "0.0000"), ("-1234567.5", "-1,234,567.5000"), (1.00005, "1.0001")]
)
def test_number_shows_nothing_only_for_no_value(value: float | str | None, shown: str) -> None:
    assert number(value) == shown


def test_measure_row_without_value_shows_the_reason() -> None:
    measure: Measure = {"value": None, "reason": "NOT_APPLICABLE", "detail": "no proxy"}

    assert measure_row("growth", measure) == ("growth", "", "NOT_APPLICABLE", "no proxy")


def test_table_on_a_narrow_terminal_folds_texts_before_numbers() -> None:
    console = Console(width=40)
    with console.capture() as captured:
        console.print(table("t", ("detail", "value"), [("long words " * 8, "1,234,567.89")]))

    assert "1,234,567.89" in captured.get()


def test_rows_that_a_run_set_aside_are_counted_at_its_end_with_the_command_that_lists_them() -> None:
    run = _run("completed")
    assert findings_line(run) is None
    rules: list[FindingCount] = [
        {"rule": "NON_POSITIVE_CLOSE", "findings": 2, "symbols": 1},
        {"rule": "OFF_SESSION", "findings": 1, "symbols": 1},
    ]
    run["findings"] = {"findings": 3, "rules": rules}
    said = "3 rows set aside: 2 NON_POSITIVE_CLOSE, 1 OFF_SESSION; see `sigmasight findings --run 1`"
    assert findings_line(run) == said


def test_figure_that_is_withheld_says_what_the_covered_part_says() -> None:
    withheld: Figure = {"value": None, "reason": "LOW_COVERAGE", "detail": "without A (37.5%)", "of_covered": 1234.5}

    assert measure_row("beta", withheld, digits=1) == (
        "beta",
        "",
        "LOW_COVERAGE",
        "without A (37.5%); of the covered part 1,234.5",
    )
