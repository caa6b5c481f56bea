"""Why a decision is not taken; what it is over HTTP is decided in `web/problems.py`.

NothingToDecide
"""

from services.market_data.core.judging import Place


class NothingToDecide(Exception):
    """Of that session nothing is said that a decision could be about."""

    def __init__(self, place: Place) -> None:
        self.place = place
        super().__init__(f"there is no {place.rule} of {place.symbol} on {place.session} to decide about")
