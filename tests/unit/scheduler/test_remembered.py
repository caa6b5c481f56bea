"""Answers are made again when what they were made from is another one, and only then."""

from services.scheduler.core.remembered import Remembered


def test_answer_is_made_once_as_long_as_everything_it_was_made_from_is_the_very_same() -> None:
    remembered, made = Remembered[int](questions=2), list[str]()
    one, other, equal = ["A"], ["B"], ["A"]

    def answer(question: str, *made_from: object) -> int:
        def make() -> int:
            made.append(question)
            return len(made)

        return remembered.answer(question, made_from, make)

    assert [answer("x", one, other) for _ in range(2)] == [1, 1]
    # Equal is not enough: what was changed in between may have been changed back, or elsewhere.
    assert [answer("x", equal, other), answer("x", equal, other)] == [2, 2]
    assert [answer("x", equal), answer("x", equal, other, one)] == [3, 4]
    assert [answer("y", one), answer("x", equal, other, one)] == [5, 4]
    assert answer("z", one) == 6
    assert [answer("y", one), answer("x", equal, other, one)] == [5, 7]
    assert made == ["x", "x", "x", "x", "y", "z", "x"]
