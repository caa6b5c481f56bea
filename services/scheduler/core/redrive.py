"""Which dead letters are sent again, and which are made good by a run over what they led to."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from services.scheduler.core.letters import LetterStatus

# What has failed so often fails for a reason that sending it again does not remove.
MAX_REDRIVES: Final = 3


class Way(StrEnum):
    """How a letter is redriven.

    A run that heard of the failure has counted the part as failed and gone on: what the message would lead to now, its
    consumers have already counted. Such work is done again as a run of its own. A fact is sent again before, since
    whoever keeps a copy lacks it for good; what nobody has counted is only sent again.
    """

    MESSAGE = "message"
    MESSAGE_AND_RUN = "message and run"
    RUN = "run"


class Nature(StrEnum):
    """What a topic carries: work to do, facts to keep, or nothing that anybody here would say."""

    WORK = "work"
    FACT = "fact"
    FOREIGN = "foreign"


class RedriveStatus(StrEnum):
    """How far a letter of a redrive is; taken: processed, and to be followed by the run."""

    QUEUED = "queued"
    SENT = "sent"
    TAKEN = "taken"
    COMPUTING = "computing"
    SETTLED = "settled"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A letter that somebody wants to redrive.

    Attributes
    ----------
    run_id : UUID or None
        The run that it belongs to, if the ledger knows it.
    redrives : int
        How often it, or the letter that it goes back to, was redriven.
    reported : bool
        Whether its run heard of the failure.
    nature : Nature
        What its topic carries.
    """

    letter_id: UUID
    topic: str
    consumer: str
    run_id: UUID | None
    status: LetterStatus
    redrives: int
    reported: bool
    nature: Nature


@dataclass(frozen=True, slots=True)
class RedrivePlan:
    """What is done with letters, and why some are left out."""

    ways: Mapping[UUID, Way]
    replays: Mapping[UUID, UUID]
    messages: Mapping[tuple[str, str], int]
    runs: Mapping[UUID, tuple[UUID, ...]]
    left_out: Mapping[UUID, str]


def plan_redrive(candidates: Iterable[Candidate], *, again: bool) -> RedrivePlan:
    """Return what a redrive does.

    Parameters
    ----------
    candidates : iterable of Candidate
        The letters that are meant.
    again : bool
        Whether also those that were redriven `MAX_REDRIVES` times are.

    Returns
    -------
    RedrivePlan
        By letter its way, and what it is sent as, the same however often that is asked; how many messages are sent
        again, by topic and consumer; the letters that one run each makes good, by the run that they belong to; by
        letter why it is left out.
    """
    ways: dict[UUID, Way] = {}
    replays: dict[UUID, UUID] = {}
    messages: Counter[tuple[str, str]] = Counter()
    runs: dict[UUID, list[UUID]] = defaultdict(list)
    left_out: dict[UUID, str] = {}
    for letter in candidates:
        why = _why_not(letter, again=again)
        if why is not None:
            left_out[letter.letter_id] = why
            continue
        way = ways[letter.letter_id] = way_of(letter)
        replays[letter.letter_id] = uuid5(letter.letter_id, str(letter.redrives + 1))
        if way is not Way.RUN:
            messages[letter.topic, letter.consumer] += 1
        if way is not Way.MESSAGE and letter.run_id is not None:
            runs[letter.run_id].append(letter.letter_id)
    grouped = {run_id: tuple(letters) for run_id, letters in runs.items()}
    return RedrivePlan(ways, replays, messages, grouped, left_out)


def way_of(letter: Candidate) -> Way:
    """Return how a letter is redriven."""
    if not letter.reported or letter.run_id is None:
        return Way.MESSAGE
    return Way.RUN if letter.nature is Nature.WORK else Way.MESSAGE_AND_RUN


def _why_not(letter: Candidate, *, again: bool) -> str | None:
    if letter.status is not LetterStatus.WAITING:
        return f"it is {letter.status.value}"
    if letter.nature is Nature.FOREIGN:
        return f"{letter.topic} is no topic of ours"
    if letter.redrives >= MAX_REDRIVES and not again:
        return f"it was redriven {letter.redrives} times"
    return None
