"""The failures of a run grouped by what caused them, with what they made unavailable further down."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.scheduler.core.ledger import STAGES

# A symbol or an id is one word: BRK.B, ^GSPC.
_WORDS: Final = re.compile(r"\^?\w+(?:[.^-]\w+)*")
_NUMBERS: Final = re.compile(r"\d+(?:[.,:-]\d+)*")
_ORDER: Final = {stage: place for place, stage in enumerate(STAGES)}


@dataclass(frozen=True, slots=True)
class Failed:
    """A symbol or a portfolio that a stage could not serve."""

    stage: str
    subject: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Subjects that failed for one reason.

    Attributes
    ----------
    stage : str
        The first stage that reported it.
    detail : str
        That of the first subject; those of the others differ in numbers and names at most.
    subjects : tuple of str
        Sorted.
    then : tuple of str
        The later stages that could not serve them either.
    portfolios : tuple of str
        Those that hold any of the subjects, or are among them, sorted.
    """

    stage: str
    reason: str
    detail: str
    subjects: tuple[str, ...]
    then: tuple[str, ...]
    portfolios: tuple[str, ...]


def causes_of(failures: Iterable[Failed], holders: Mapping[str, Iterable[str]]) -> list[Cause]:
    """Group failures by what came first of a subject and the stages it failed in then, the most subjects first.

    Parameters
    ----------
    failures : iterable of Failed
        In any order, and as often as they were reported.
    holders : mapping of str to iterable of str
        The portfolios that hold each symbol; a portfolio holds itself.
    """
    reported: dict[str, dict[str, Failed]] = defaultdict(dict)
    for failed in sorted(failures, key=lambda each: (each.subject, _place(each.stage), each.reason, each.detail)):
        reported[failed.subject].setdefault(failed.stage, failed)
    groups: dict[tuple[tuple[str, ...], str, str], list[Failed]] = defaultdict(list)
    for by_stage in reported.values():
        origin = next(iter(by_stage.values()))
        groups[tuple(by_stage), origin.reason, _shape(origin)].append(origin)
    causes = [_cause(stages, origins, holders) for (stages, _, _), origins in groups.items()]
    return sorted(causes, key=lambda cause: (-len(cause.subjects), _place(cause.stage), cause.reason, cause.detail))


def _place(stage: str) -> int:
    return _ORDER.get(stage, len(_ORDER))


def _shape(failed: Failed) -> str:
    # "42 of 60 sessions" and "17 of 60 sessions" of two symbols are one cause.
    unnamed = _WORDS.sub(lambda word: "*" if word[0] == failed.subject else word[0], failed.detail)
    return _NUMBERS.sub("#", unnamed)


def _cause(stages: Sequence[str], origins: Sequence[Failed], holders: Mapping[str, Iterable[str]]) -> Cause:
    subjects = tuple(origin.subject for origin in origins)
    return Cause(
        stage=stages[0],
        reason=origins[0].reason,
        detail=origins[0].detail,
        subjects=subjects,
        then=tuple(stages[1:]),
        portfolios=tuple(sorted({portfolio for subject in subjects for portfolio in holders.get(subject, ())})),
    )
