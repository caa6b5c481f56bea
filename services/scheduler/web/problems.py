"""What a refused use case is over HTTP."""

from typing import Final
from uuid import UUID

from services.scheduler.commands.errors import (
    BackfillEnded,
    LetterDealtWith,
    NothingFailed,
    NothingToRedrive,
    NotPaused,
    OtherRunUnderWay,
    RunEnded,
    RunGoesOn,
    UnknownBackfill,
    UnknownLetter,
    UnknownPortfolios,
    UnknownRedrive,
    UnknownRun,
    UnknownSubjects,
    UnusableSession,
)
from shared.problems import Problem, Problems

PROBLEMS: Final[Problems] = {
    UnusableSession: lambda error: Problem.of_field(error.field, str(error)),
    OtherRunUnderWay: lambda error: Problem(
        409, str(error), errors=[{"field": "run_id", "reason": "is under way", "run_id": str(error.run.run_id)}]
    ),
    UnknownPortfolios: lambda error: Problem(
        422,
        str(error),
        errors=[{"field": "portfolio_ids", "reason": f"nobody knows {unknown}"} for unknown in error.portfolio_ids],
    ),
    UnknownRun: lambda error: Problem(404, str(error)),
    RunEnded: lambda error: Problem(409, str(error)),
    RunGoesOn: lambda error: Problem(409, str(error)),
    NothingFailed: lambda error: Problem(409, str(error)),
    UnknownSubjects: lambda error: Problem(422, str(error)),
    UnknownBackfill: lambda error: Problem(404, str(error)),
    BackfillEnded: lambda error: Problem(409, str(error)),
    UnknownLetter: lambda error: Problem(404, str(error)),
    LetterDealtWith: lambda error: Problem(409, str(error)),
    NothingToRedrive: lambda error: Problem(
        409,
        str(error),
        errors=[{"field": str(letter_id), "reason": why} for letter_id, why in error.left_out.items()],
    ),
    UnknownRedrive: lambda error: Problem(404, str(error)),
    NotPaused: lambda error: Problem(409, str(error)),
}


def unknown_portfolio(portfolio_id: UUID) -> Problem:
    """Return the refusal where nobody has told the ledger of a portfolio."""
    return Problem(404, f"no portfolio {portfolio_id} is known here")
