"""What a refused use case is over HTTP."""

from collections.abc import Callable
from typing import Any, Final

from services.portfolio.commands.errors import (
    ClosingOutOfReach,
    ExitOutOfReach,
    FlowOutOfReach,
    ImpossibleExit,
    NameTaken,
    NothingToCorrect,
    OpeningOutOfReach,
    Oversold,
    QueueFull,
    RangeReversed,
    ReferenceTaken,
    TooManySymbols,
    TradeAfterClosing,
    UnknownFlow,
    UnknownPortfolio,
    UnknownPosition,
)
from shared.problems import Problem, Problems


def _not_found(error: Any) -> Problem:
    return Problem(404, str(error))


def _of_field(field: str) -> Callable[[Any], Problem]:
    return lambda error: Problem.of_field(field, str(error))


PROBLEMS: Final[Problems] = {
    UnknownPortfolio: _not_found,
    UnknownPosition: _not_found,
    UnknownFlow: _not_found,
    NameTaken: lambda error: Problem(409, str(error), errors=[{"field": "name", "reason": "taken"}]),
    OpeningOutOfReach: _of_field("opened_on"),
    FlowOutOfReach: _of_field("on"),
    ReferenceTaken: lambda error: Problem(409, str(error), errors=[{"field": "reference", "reason": "taken"}]),
    ExitOutOfReach: _of_field("on"),
    TradeAfterClosing: _of_field("entry_date"),
    ClosingOutOfReach: _of_field("on"),
    ImpossibleExit: lambda error: Problem(422, str(error), errors=[{"field": "on", "reason": str(error)}]),
    NothingToCorrect: lambda error: Problem(409, str(error)),
    Oversold: _of_field("quantity"),
    QueueFull: lambda error: Problem(503, str(error)),
    RangeReversed: _of_field("first_session"),
    TooManySymbols: _of_field("positions"),
}
