"""What a refused use case is over HTTP."""

from typing import Final

from services.market_data.commands.errors import NothingToDecide
from shared.problems import Problem, Problems

PROBLEMS: Final[Problems] = {NothingToDecide: lambda error: Problem(404, str(error))}
