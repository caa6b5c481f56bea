"""What a night serves against what the second implementation computes, cell by cell."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.platform import Json
from tests.system.plain.known import Number, withheld

TOLERANCE: Final = 1e-9


@dataclass
class Agreement:
    """Every difference of a family of numbers, and the largest relative one of the numbers that agree."""

    differences: list[str] = field(default_factory=list)
    largest: dict[str, tuple[float, str]] = field(default_factory=dict)
    numbers: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    exact: Counter[str] = field(default_factory=Counter)

    def number(
        self,
        family: str,
        what: str,
        served: float | None,
        expected: float | None,
        *,
        least: float = 0.0,
        within: float = TOLERANCE,
    ) -> None:
        """A float, within the tolerance; neither may be missing where the other is not.

        `least`: a difference is not taken relative to less than this.
        """
        if served is None or expected is None:
            self.same(family, what, served, expected)
            return
        self.numbers[family] += 1
        gap = _relative(served, expected, least)
        if not gap <= within:
            self.differences.append(f"{family}, {what}: served {served!r}, plain {expected!r}, relative {gap:.1e}")
        elif gap >= self.largest.get(family, (0.0, ""))[0]:
            self.largest[family] = gap, what

    def measure(
        self,
        family: str,
        what: str,
        served: Json,
        expected: Number,
        *,
        least: float = 0.0,
        within: float = TOLERANCE,
    ) -> None:
        """A number or the reason why there is none."""
        if isinstance(expected, float) and served["value"] is not None:
            self.number(family, what, served["value"], expected, least=least, within=within)
            return
        self.reasons[family] += 1
        found = served["value"] if served["reason"] is None else served["reason"]
        if found != expected:
            detail = served["detail"] or ""
            self.differences.append(f"{family}, {what}: served {found!r} ({detail}), plain {expected!r}")

    def figure(
        self,
        family: str,
        what: str,
        served: Json,
        expected: Number,
        *,
        coverage: Number,
        least: float = 0.0,
        within: float = TOLERANCE,
    ) -> None:
        """A number of a book, which is withheld where too little of the book is covered."""
        told, of_covered = withheld(expected, coverage)
        self.measure(family, what, served, told, least=least, within=within)
        what = f"{what} of the covered part"
        self.number(family, what, served["of_covered"], of_covered, least=least, within=within)

    def same(self, family: str, what: str, served: Any, expected: Any) -> None:
        """Amounts in cents, counts, names and days: exactly."""
        self.exact[family] += 1
        if served != expected:
            self.differences.append(f"{family}, {what}: served {served!r}, plain {expected!r}")

    def names(self, family: str, what: str, served: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
        """What both sides know of; whatever only one of them knows of is a difference."""
        self.same(family, f"{what}, names", sorted(served), sorted(expected))
        return sorted(served.keys() & expected.keys())

    def check(self) -> None:
        """Fail with the differences found since the last check."""
        found, self.differences = self.differences, []
        families = Counter(line.partition(",")[0] for line in found)
        assert not found, f"{len(found)} differences, {dict(families)}:\n" + "\n".join(found[:40])

    def figures(self) -> list[str]:
        """A line a family: how much was compared, and the largest relative difference with where it is."""
        lines = []
        for family in sorted({*self.numbers, *self.reasons, *self.exact}):
            gap, what = self.largest.get(family, (0.0, "none"))
            counts = f"{self.numbers[family]} numbers, {self.reasons[family]} reasons, {self.exact[family]} exact"
            lines.append(f"{family}: {counts}; largest relative difference {gap:.1e} ({what})")
        return lines


def _relative(served: float, expected: float, least: float) -> float:
    if served == expected:
        return 0.0
    return abs(served - expected) / max(abs(served), abs(expected), least) if math.isfinite(served) else math.inf
