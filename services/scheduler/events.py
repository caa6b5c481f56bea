"""What the scheduler says of a run: that it has ended, how far each stage came, and its name in the log."""

from collections.abc import Sequence

from services.scheduler.core.ledger import StageTally, stage_seconds
from services.scheduler.storage.repository import SchedulerRepository, StoredRun
from shared.contracts.event import Failure
from shared.contracts.run import ONLY_PART, Run
from shared.contracts.scheduler import BatchCompleted, RunStatus, StageCount

MAX_FAILURES = 500  # an event is not a report; the API pages through all of them


def outline(run: Run) -> dict[str, str]:
    """Return what tells a run from others, for the log."""
    return {
        "run": str(run.run_id),
        "kind": run.kind.value,
        "sessions": f"{run.first_session} to {run.last_session}",
        "requested_by": run.requested_by,
    }


def stage_counts(stored: StoredRun, tallies: Sequence[StageTally]) -> tuple[StageCount, ...]:
    """Return per stage what was done and how long it took."""
    seconds = stage_seconds(tallies, requested_at=stored.requested_at)
    return tuple(
        StageCount(
            stage=entry.stage,
            parts_done=entry.parts_done,
            parts_total=entry.parts_total,
            subjects=entry.subjects,
            failures=entry.failures,
            seconds=seconds[entry.stage],
        )
        for entry in tallies
    )


async def batch_completed(
    stored: StoredRun,
    status: RunStatus,
    tallies: Sequence[StageTally],
    repository: SchedulerRepository,
    *,
    overdue: Sequence[Failure] = (),
) -> BatchCompleted:
    """Return the event that says how the run ended."""
    failures = [failure for _, failure in await repository.list_failures(stored.run.run_id, limit=MAX_FAILURES)]
    return BatchCompleted(
        run=stored.run,
        part=ONLY_PART,
        subjects=sum(entry.subjects for entry in tallies),
        failures=(*overdue, *failures)[:MAX_FAILURES],
        status=RunStatus.FAILED if status is RunStatus.CANCELLED else status,
        cancelled=status is RunStatus.CANCELLED,
        stages=stage_counts(stored, tallies),
    )
