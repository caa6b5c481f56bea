from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.core.ledger import STAGES, StageTally, missing_parts, run_ended, stage_seconds, tally
from shared.parts import missing_of

START = datetime(2025, 3, 14, 21, 0, tzinfo=UTC)


def _at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def _stage(stage: str, done: int, total: int | None, *, last: float = 0.0) -> StageTally:
    return StageTally(stage, done, total, subjects=done, failures=0, first_at=START, last_at=_at(last))


def _all_complete() -> tuple[StageTally, ...]:
    return tally([_stage(stage, 2, 2) for stage in STAGES])


def test_tally_orders_the_stages_and_names_those_without_parts() -> None:
    arrived = [_stage("portfolios.valued", 1, 3), _stage("prices.updated", 2, 2), _stage("symbols.onboarding", 1, 1)]

    tallies = tally(arrived)

    assert [entry.stage for entry in tallies] == list(STAGES)
    by_stage = {entry.stage: entry for entry in tallies}
    assert by_stage["prices.updated"].complete
    assert not by_stage["portfolios.valued"].complete
    assert by_stage["symbols.factored"] == StageTally("symbols.factored")


def test_run_ends_with_every_part_of_every_stage_or_without_those_of_a_stage_that_was_closed() -> None:
    assert run_ended(_all_complete())
    for stage in STAGES:
        for lacking in (_stage(stage, 1, 2), StageTally(stage)):
            others = [entry for entry in _all_complete() if entry.stage != stage]
            assert not run_ended(tally([*others, lacking]))
            assert run_ended(tally([*others, replace(lacking, closed_at=_at(9.0))]))


def test_missing_parts_names_what_is_still_to_come() -> None:
    closed = replace(_stage("prices.updated", 1, 2), closed_at=_at(9.0))
    complete = [_stage(stage, 2, 2) for stage in list(STAGES)[:5] if stage != "prices.updated"]
    tallies = tally([closed, *complete, _stage("portfolios.valued", 1, 3)])
    arrived = {"prices.updated": [0], "portfolios.valued": [0]}
    assert missing_parts(tallies, arrived) == ("portfolios.valued: parts 1-2 of 3", "portfolios.assessed: every part")
    assert closed.missing(arrived) == "prices.updated: part 1 of 2"


def test_missing_parts_of_a_complete_run_is_empty() -> None:
    assert missing_parts(_all_complete(), {}) == ()


@pytest.mark.parametrize(
    ("arrived", "said"),
    [
        (range(12), ""),
        ([], "parts 0-11 of 12"),
        ([0, 1, 2, 8, 10, 11], "parts 3-7, 9 of 12"),
        ([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1], "part 0 of 12"),
        (range(11), "part 11 of 12"),
        ([1, 3, 5, 7, 9], "parts 0, 2, 4, 6, 8, 10-11 of 12"),
    ],
)
def test_parts_that_are_missing_are_named_as_ranges(arrived: Iterable[int], said: str) -> None:
    assert missing_of(arrived, 12) == said


def test_stage_seconds_run_from_the_end_of_what_a_stage_waits_for() -> None:
    ends = {
        "profiles.updated": 4.0,
        "prices.updated": 10.0,
        "fundamentals.updated": 7.0,
        "symbols.factored": 30.0,
        "symbols.measured": 12.0,
        "portfolios.valued": 25.0,
        "portfolios.assessed": 36.5,
    }
    tallies = tally([_stage(stage, 1, 1, last=end) for stage, end in ends.items()])
    assert stage_seconds(tallies, requested_at=START) == {
        "profiles.updated": 4.0,
        "prices.updated": 10.0,
        "fundamentals.updated": 7.0,
        "symbols.factored": 20.0,
        "symbols.measured": 2.0,
        "portfolios.valued": 15.0,
        "portfolios.assessed": 6.5,
    }


@pytest.mark.parametrize("unfinished", ["prices.updated", "symbols.factored"])
def test_stage_seconds_of_a_stage_that_waits_or_is_not_finished_are_unknown(unfinished: str) -> None:
    tallies = tally([_stage(stage, 1, 2 if stage == unfinished else 1, last=5.0) for stage in STAGES])
    seconds = stage_seconds(tallies, requested_at=START)
    assert seconds[unfinished] is None
    assert [seconds[stage] for stage in STAGES if unfinished in STAGES[stage]] == [None] * sum(
        unfinished in before for before in STAGES.values()
    )


def test_stage_seconds_of_a_stage_that_ended_before_its_inputs_are_zero() -> None:
    ends = dict.fromkeys(STAGES, 5.0) | {"symbols.factored": 1.0}
    tallies = tally([_stage(stage, 1, 1, last=end) for stage, end in ends.items()])
    assert stage_seconds(tallies, requested_at=START)["symbols.factored"] == 0.0
