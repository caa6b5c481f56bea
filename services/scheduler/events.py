"""What the scheduler says of a run: that it has ended, how far each stage came, and its name in the log."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.scheduler.core.causes import Cause
from services.scheduler.core.ledger import StageTally, stage_seconds
from services.scheduler.core.webhook import WebhookType
from services.scheduler.storage.repository import StoredRun
from shared.calendar import sessions_between
from shared.contracts.event import Failure
from shared.contracts.run import ONLY_PART, Run
from shared.contracts.scheduler import BatchCompleted, FailureCause, RunStatus, StageCount

# An event is not a report: the API pages through all of them.
MAX_FAILURES, MAX_CAUSES, MAX_EXAMPLES = 500, 20, 5


def outline(run: Run) -> dict[str, str]:
    """Return what tells a run from others, for the log."""
    return {
        "run": str(run.run_id),
        "kind": run.kind.value,
        "sessions": f"{run.first_session} to {run.last_session}",
        "requested_by": run.requested_by,
    }


def stage_counts(requested_at: datetime, tallies: Sequence[StageTally]) -> tuple[StageCount, ...]:
    """Return per stage what was done and how long it took."""
    seconds = stage_seconds(tallies, requested_at=requested_at)
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


@dataclass(frozen=True, slots=True)
class End:
    """How a run has ended, after how long, and why where that was no last part."""

    status: RunStatus
    seconds: float
    why: str | None = None


def batch_completed(
    stored: StoredRun, end: End, tallies: Sequence[StageTally], failures: Sequence[Failure], causes: Sequence[Cause]
) -> BatchCompleted:
    """Return the event that says how the run ended."""
    return BatchCompleted(
        run=stored.run,
        part=ONLY_PART,
        subjects=sum(entry.subjects for entry in tallies),
        failures=tuple(failures[:MAX_FAILURES]),
        status=RunStatus.FAILED if end.status is RunStatus.CANCELLED else end.status,
        cancelled=end.status is RunStatus.CANCELLED,
        stages=stage_counts(stored.requested_at, tallies),
        sessions=len(sessions_between(stored.run.first_session, stored.run.last_session)),
        requested_at=stored.requested_at,
        seconds=end.seconds,
        why=end.why,
        causes=tuple(_announced(cause) for cause in causes[:MAX_CAUSES]),
    )


def webhook_type(event: BatchCompleted) -> WebhookType:
    """Return as what the end of a run is told outside."""
    if not event.cancelled and any(stage.parts_done != stage.parts_total for stage in event.stages):
        return WebhookType.OVERDUE
    return WebhookType.FAILED if event.status is RunStatus.FAILED else WebhookType.COMPLETED


def webhook_body(event: BatchCompleted) -> str:
    """Return what is told of the end of a run, as JSON; what may be long is left to the API."""
    run = {"run_id", "kind", "first_session", "last_session", "requested_by"}
    data = event.model_dump(mode="json", exclude={"run", "part", "subjects", "failures", "unchanged"})
    data = {**event.run.model_dump(mode="json", include=run), **data}
    asked = event.requested_at
    at = None if asked is None or event.seconds is None else (asked + timedelta(seconds=event.seconds)).isoformat()
    return json.dumps({"type": webhook_type(event).value, "timestamp": at, "data": data})


def _announced(cause: Cause) -> FailureCause:
    return FailureCause(
        stage=cause.stage,
        reason=cause.reason,
        detail=cause.detail,
        subjects=len(cause.subjects),
        examples=cause.subjects[:MAX_EXAMPLES],
        then=cause.then,
        portfolios=len(cause.portfolios),
    )
