"""What is measured without asking anybody: the ends of runs, and how far books are behind."""

from datetime import date

import pytest

from shared.contracts.run import ONLY_PART, RunKind
from shared.contracts.scheduler import BatchCompleted, BatchTriggered, PublishedStatus, RunStatus, StageCount
from shared.metrics.catalogue import BOOKS, BOOKS_BEHIND, BOOKS_STALE
from shared.metrics.run_ends import RunEnds
from shared.metrics.service_metrics import ServiceMetrics
from shared.metrics.staleness import staleness
from tests.support.runs import make_run

FRIDAY, MONDAY, TUESDAY = date(2025, 3, 14), date(2025, 3, 17), date(2025, 3, 18)


def _ended(status: PublishedStatus, *, cancelled: bool = False) -> BatchCompleted:
    return BatchCompleted(
        run=make_run(kind=RunKind.NIGHTLY),
        part=ONLY_PART,
        status=status,
        cancelled=cancelled,
        stages=(
            StageCount(stage="prices.updated", parts_done=2, parts_total=2, subjects=9, failures=0, seconds=1.5),
            StageCount(stage="symbols.factored", parts_done=1, parts_total=2, subjects=3, failures=1, seconds=None),
        ),
        seconds=20.0,
    )


def test_end_of_a_run_is_counted_and_timed_with_its_stages() -> None:
    metrics = ServiceMetrics("scheduler")
    listen = RunEnds(metrics)
    nightly = {"service": "scheduler", "kind": "nightly"}

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, nightly | labels)

    assert value("sigmasight_runs_total", status="failed") == 0
    listen(BatchTriggered(run=make_run(), part=ONLY_PART))
    listen(_ended(RunStatus.COMPLETED_WITH_ERRORS))
    listen(_ended(RunStatus.FAILED, cancelled=True))

    counts = {status: value("sigmasight_runs_total", status=status) for status in RunStatus}
    assert counts == {"active": None, "completed": 0, "completed_with_errors": 1, "failed": 0, "cancelled": 1}
    assert value("sigmasight_run_seconds_sum") == 40.0
    assert value("sigmasight_stage_seconds_sum", stage="prices.updated") == 3.0
    assert value("sigmasight_stage_seconds_count", stage="symbols.factored") is None


@pytest.mark.parametrize(
    ("books", "expected"),
    [
        ({}, (0, 0, 0)),
        ({TUESDAY: 3}, (3, 0, 0)),
        ({TUESDAY: 3, MONDAY: 1}, (4, 1, 1)),
        ({FRIDAY: 2, MONDAY: 1}, (3, 3, 2)),
        # Opened on the Saturday and never valued, and one that is ahead of the clock.
        ({date(2025, 3, 15): 1, date(2025, 3, 19): 1}, (2, 1, 2)),
    ],
)
def test_books_are_stale_by_the_sessions_that_they_lack(books: dict[date, int], expected: tuple[int, ...]) -> None:
    readings = {reading.metric: reading.value for reading in staleness(books, TUESDAY)}
    assert tuple(readings[metric] for metric in (BOOKS, BOOKS_STALE, BOOKS_BEHIND)) == expected
