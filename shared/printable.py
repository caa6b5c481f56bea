"""Text of others as it may be shown: what would steer a terminal, or cannot be written at all, stands as its code."""

import re
from typing import Final

# Control characters but tab and line end, what turns the direction of writing, and halves of characters.
_UNSHOWN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return a text that does nothing to whoever looks at it; one that has been made so stays as it is."""
    return _UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def counted(count: int, noun: str) -> str:
    """Return how many there are of something, ``1 letter`` or ``1,200 letters``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
