"""What a refused use case is over HTTP."""

from typing import Final

from services.scheduler.commands.errors import OtherRangeUnderWay, UnusableSession
from shared.problems import Problem, Problems

PROBLEMS: Final[Problems] = {
    UnusableSession: lambda error: Problem.of_field(error.field, str(error)),
    OtherRangeUnderWay: lambda error: Problem(
        409, str(error), errors=[{"field": "first_session", "reason": str(error)}]
    ),
}
