"""What a refused use case is over HTTP."""

from typing import Final

from services.scheduler.commands.errors import (
    BackfillEnded,
    IdempotencyKeyReused,
    NotPaused,
    OtherRangeUnderWay,
    RunEnded,
    UnknownBackfill,
    UnknownRun,
    UnknownSubjects,
    UnusableSession,
)
from shared.problems import Problem, Problems

PROBLEMS: Final[Problems] = {
    UnusableSession: lambda error: Problem.of_field(error.field, str(error)),
    OtherRangeUnderWay: lambda error: Problem(
        409, str(error), errors=[{"field": "first_session", "reason": str(error)}]
    ),
    UnknownRun: lambda error: Problem(404, str(error)),
    RunEnded: lambda error: Problem(409, str(error)),
    UnknownSubjects: lambda error: Problem(422, str(error)),
    UnknownBackfill: lambda error: Problem(404, str(error)),
    BackfillEnded: lambda error: Problem(409, str(error)),
    NotPaused: lambda error: Problem(409, str(error)),
    IdempotencyKeyReused: lambda error: Problem(
        409, str(error), errors=[{"field": "Idempotency-Key", "reason": str(error)}]
    ),
}
