"""Dead letters: how each stands."""

from enum import StrEnum


class LetterStatus(StrEnum):
    """What became of a message that could not be processed; whoever has dealt with it has settled or dropped it."""

    WAITING = "waiting"
    REDRIVING = "redriving"
    SETTLED = "settled"
    DROPPED = "dropped"

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to deal with it."""
        return self in {LetterStatus.WAITING, LetterStatus.REDRIVING}
