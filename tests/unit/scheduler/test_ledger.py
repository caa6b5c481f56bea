from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.core.ledger import STAGES, StageTally, missing_parts, run_complete, stage_seconds, tally

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
    assert by_stage["symbols.factored"] == StageTally("symbols.factored", 0, None, 0, 0, None, None)


def test_run_complete_needs_every_part_of_every_stage() -> None:
    assert run_complete(_all_complete())
    for stage in STAGES:
        for lacking in (_stage(stage, 1, 2), StageTally(stage, 0, None, 0, 0, None, None)):
            others = [entry for entry in _all_complete() if entry.stage != stage]
            assert not run_complete(tally([*others, lacking]))


def test_missing_parts_says_how_many_came_and_whether_the_total_is_known() -> None:
    tallies = tally([_stage(stage, 2, 2) for stage in list(STAGES)[:5]] + [_stage("portfolios.valued", 1, 3)])
    assert missing_parts(tallies) == ("portfolios.valued: 1 of 3 parts", "portfolios.assessed: 0 of unknown parts")


def test_missing_parts_of_a_complete_run_is_empty() -> None:
    assert missing_parts(_all_complete()) == ()


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
