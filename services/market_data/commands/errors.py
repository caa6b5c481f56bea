"""Why something is not done; what it is over HTTP is decided in `web/problems.py`.

NothingToDecide
ConflictingNames
UnknownIdentifier
"""

from services.market_data.core.judging import Place
from services.market_data.core.names import Identifier


class NothingToDecide(Exception):
    """Of that session nothing is said that a decision could be about."""

    def __init__(self, place: Place) -> None:
        self.place = place
        super().__init__(f"there is no {place.rule} of {place.symbol} on {place.session} to decide about")


class ConflictingNames(Exception):
    """A share cannot have two names on one day, nor a name be two shares."""

    def __init__(self, identifier: Identifier, known: Identifier) -> None:
        self.identifier = identifier
        self.known = known
        super().__init__(f"must go with what is known, was {identifier}, where {known}")


class UnknownIdentifier(Exception):
    """There is no such entry."""

    def __init__(self, identifier_id: int) -> None:
        self.identifier_id = identifier_id
        super().__init__(f"nothing was said under the number {identifier_id}")
