"""What a refused use case is over HTTP."""

from typing import Final

from services.market_data.commands.errors import ConflictingNames, NothingToDecide, UnknownIdentifier
from shared.problems import Problem, Problems

PROBLEMS: Final[Problems] = {
    ConflictingNames: lambda error: Problem(409, str(error)),
    NothingToDecide: lambda error: Problem(404, str(error)),
    UnknownIdentifier: lambda error: Problem(404, str(error)),
}
