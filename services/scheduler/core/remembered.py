"""Answers that are worked out once, for as long as what they were made from is the very same."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Remembered(Generic[Answer]):
    """The newest answer to each of the questions that were asked last.

    Parameters
    ----------
    questions : int
        To how many.
    """

    def __init__(self, questions: int) -> None:
        self._most = questions
        self._known: OrderedDict[Hashable, tuple[Sequence[object], Answer]] = OrderedDict()

    def answer(self, question: Hashable, made_from: Sequence[object], make: Callable[[], Answer]) -> Answer:
        """Return the answer to a question, which is made again where anything that it was made from is another one."""
        known = self._known.get(question)
        if known is None or not _are_same(known[0], made_from):
            known = made_from, make()
            self._known[question] = known
            self._known.move_to_end(question)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return known[1]


def _are_same(known: Sequence[object], given: Sequence[object]) -> bool:
    # Not whether they are equal: to compare them would take as long as the answer.
    return len(known) == len(given) and all(one is other for one, other in zip(known, given, strict=True))
