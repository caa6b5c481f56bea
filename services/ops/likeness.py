"""Names that are like one that nobody has."""

from collections.abc import Sequence
from difflib import get_close_matches


def meant(unknown: Sequence[str], names: Sequence[str]) -> str:
    """Return a question for the names that are like those that nobody has, nothing where none is."""
    # Compared without case and marks, as people remember names.
    plain = {_plain(name): name for name in names}
    alike = [plain[close] for given in unknown for close in get_close_matches(_plain(given), plain, n=3)]
    return f"; did you mean {' or '.join(map(repr, dict.fromkeys(alike)))}?" if alike else ""


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
