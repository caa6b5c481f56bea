"""How each dead letter is redriven, and which are left out."""

from dataclasses import replace
from uuid import UUID

import pytest

from services.scheduler.core.letters import LetterStatus
from services.scheduler.core.redrive import MAX_REDRIVES, Candidate, Nature, Way, plan_redrive, way_of

RUN = UUID(int=9)
LETTER = Candidate(
    letter_id=UUID(int=1),
    topic="portfolio.due",
    consumer="portfolio.value_portfolios",
    run_id=RUN,
    status=LetterStatus.WAITING,
    redrives=0,
    reported=True,
    nature=Nature.WORK,
)


@pytest.mark.parametrize(
    ("nature", "reported", "run_id", "way"),
    [
        (Nature.WORK, True, RUN, Way.RUN),
        (Nature.FACT, True, RUN, Way.MESSAGE_AND_RUN),
        # Nobody has counted the part: what the message leads to is taken in.
        (Nature.WORK, False, RUN, Way.MESSAGE),
        (Nature.FACT, False, RUN, Way.MESSAGE),
        # There is no run to do again.
        (Nature.WORK, True, None, Way.MESSAGE),
    ],
)
def test_letter_goes_the_way_on_which_its_results_become_current(
    nature: Nature, reported: bool, run_id: UUID | None, way: Way
) -> None:
    assert way_of(replace(LETTER, nature=nature, reported=reported, run_id=run_id)) is way


@pytest.mark.parametrize(
    ("letter", "again", "why"),
    [
        (replace(LETTER, status=LetterStatus.DROPPED), True, "it is dropped"),
        (replace(LETTER, status=LetterStatus.REDRIVING), True, "it is redriving"),
        (replace(LETTER, topic="nobody.knows", nature=Nature.FOREIGN), True, "nobody.knows is no topic of ours"),
        (replace(LETTER, redrives=MAX_REDRIVES), False, "it was redriven 3 times"),
        (replace(LETTER, redrives=MAX_REDRIVES), True, None),
        (replace(LETTER, redrives=MAX_REDRIVES - 1), False, None),
    ],
)
def test_letter_that_is_not_to_be_redriven_is_left_out_with_the_reason(
    letter: Candidate, again: bool, why: str | None
) -> None:
    plan = plan_redrive([letter], again=again)
    assert plan.left_out.get(letter.letter_id) == why
    assert (letter.letter_id in plan.ways) == (why is None)


def test_letters_of_a_run_are_made_good_together_and_messages_counted_by_consumer() -> None:
    work = [replace(LETTER, letter_id=UUID(int=number)) for number in (1, 2)]
    fact = replace(LETTER, letter_id=UUID(int=3), topic="symbols.factored", consumer="risk.store_betas")
    fact = replace(fact, nature=Nature.FACT)
    unread = replace(fact, letter_id=UUID(int=4), reported=False)

    plan = plan_redrive([*work, fact, unread], again=False)

    assert plan.runs == {RUN: (UUID(int=1), UUID(int=2), UUID(int=3))}
    assert plan.messages == {("symbols.factored", "risk.store_betas"): 2}


def test_each_redrive_of_a_letter_is_another_message_and_asked_for_twice_the_same() -> None:
    first, same = (plan_redrive([LETTER], again=False).replays for _ in range(2))
    second = plan_redrive([replace(LETTER, redrives=1)], again=False).replays
    assert first == same
    assert first != second
