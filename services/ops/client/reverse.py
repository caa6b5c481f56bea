"""What would cost a book given parts of its equity, in words."""

from typing import Final

from services.ops.client.answers.risk import ReverseStress
from services.ops.client.rendering import number

_LARGEST_MOVES: Final = 3


def largest_moves(entry: ReverseStress) -> str:
    """Return the largest moves, in deviations of one session."""
    known = [move for move in entry["moves"] if move["deviations"] is not None]
    largest = sorted(known, key=lambda move: -abs(move["deviations"] or 0.0))[:_LARGEST_MOVES]
    return ", ".join(f"{move['factor']} {number(move['deviations'], digits=1)}" for move in largest)


def nearest_sessions(entry: ReverseStress) -> str:
    """Return the sessions that were nearest, and what they would have made of the book."""
    return ", ".join(f"{near['session']} {near['book_return']:.1%}" for near in entry["nearest"])
