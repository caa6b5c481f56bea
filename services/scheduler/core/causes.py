"""The failures of a run grouped by what caused them, with what they made unavailable further down."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.scheduler.core.ledger import STAGES

EXAMPLES: Final = 5

_NUMBERS: Final = re.compile(r"\d+(?:[.,:-]\d+)*")
_ORDER: Final = {stage: place for place, stage in enumerate(STAGES)}


@dataclass(frozen=True, slots=True)
class Failed:
    """A cell that a stage could not serve."""

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
        That of the first subject; those of the others differ in numbers at most.
    subjects : int
        How many there are; `examples` are the first of them.
    then : tuple of str
        The later stages that could not serve the same subjects.
    portfolios : int
        How many portfolios hold any of the subjects.
    """

    stage: str
    reason: str
    detail: str
    subjects: int
    examples: tuple[str, ...]
    then: tuple[str, ...]
    portfolios: int


def causes_of(failures: Iterable[Failed], holders: Mapping[str, Sequence[str]]) -> list[Cause]:
    """Group failures, the one of the most subjects first.

    Parameters
    ----------
    failures : iterable of Failed
        In any order, and as often as they were reported.
    holders : mapping of str to sequence of str
        The portfolios that hold each symbol.
    """
    stages: dict[str, dict[str, Failed]] = defaultdict(dict)
    for failed in failures:
        stages[failed.subject].setdefault(failed.stage, failed)
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for subject in sorted(stages):
        origin = _first(stages[subject])
        groups[origin.stage, origin.reason, _shape(origin)].append(subject)
    causes = [_cause(subjects, stages, holders) for subjects in groups.values()]
    return sorted(causes, key=lambda cause: (-cause.subjects, _place(cause.stage), cause.reason, cause.detail))


def _first(by_stage: Mapping[str, Failed]) -> Failed:
    return by_stage[min(by_stage, key=lambda stage: (_place(stage), stage))]


def _place(stage: str) -> int:
    return _ORDER.get(stage, len(_ORDER))


def _shape(failed: Failed) -> str:
    # "42 of 60 sessions" and "17 of 60 sessions" of two symbols are one cause.
    return _NUMBERS.sub("#", failed.detail.replace(failed.subject, "*"))


def _cause(
    subjects: Sequence[str], stages: Mapping[str, Mapping[str, Failed]], holders: Mapping[str, Sequence[str]]
) -> Cause:
    origin = _first(stages[subjects[0]])
    later = {stage for subject in subjects for stage in stages[subject]} - {origin.stage}
    return Cause(
        stage=origin.stage,
        reason=origin.reason,
        detail=origin.detail,
        subjects=len(subjects),
        examples=tuple(subjects[:EXAMPLES]),
        then=tuple(sorted(later, key=_place)),
        portfolios=len({portfolio for subject in subjects for portfolio in holders.get(subject, ())}),
    )
