"""What was wrong with a bar: a rule id, where it was seen and what was found there."""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final


class Rule(StrEnum):
    """Why a row, or one field of it, was set aside (methodology, 2)."""

    NON_FINITE_CLOSE = "NON_FINITE_CLOSE"
    NON_POSITIVE_CLOSE = "NON_POSITIVE_CLOSE"
    BAD_ADJUSTED_CLOSE = "BAD_ADJUSTED_CLOSE"
    MISSING_ADJUSTED_CLOSE = "MISSING_ADJUSTED_CLOSE"
    HIGH_BELOW_LOW = "HIGH_BELOW_LOW"
    CLOSE_OUTSIDE_RANGE = "CLOSE_OUTSIDE_RANGE"
    BAD_VOLUME = "BAD_VOLUME"
    BAD_SPLIT = "BAD_SPLIT"
    BAD_DIVIDEND = "BAD_DIVIDEND"
    UNUSABLE_FIELD = "UNUSABLE_FIELD"  # the field is dropped, the row is kept
    DUPLICATE_IDENTICAL = "DUPLICATE_IDENTICAL"  # one of the rows is kept
    DUPLICATE_CONFLICTING = "DUPLICATE_CONFLICTING"  # none of the rows is kept
    FUTURE_DATE = "FUTURE_DATE"
    OFF_SESSION = "OFF_SESSION"
    UNEXPLAINED_JUMP = "UNEXPLAINED_JUMP"  # the bar is held until it is confirmed
    INFERRED_SPLIT = "INFERRED_SPLIT"  # nobody gave it, and it is used
    SPLIT_WITHOUT_MOVE = "SPLIT_WITHOUT_MOVE"  # it is given, and not used
    UNEXPLAINED_ADJUSTMENT = "UNEXPLAINED_ADJUSTMENT"  # the row is kept
    ORIGINS_DIFFER = "ORIGINS_DIFFER"  # another provider has another close; the bar is kept
    CORPORATE_ACTION = "CORPORATE_ACTION"  # a spin-off or a merger: no book is changed by it
    DELISTED = "DELISTED"  # no bar for SILENT_SESSIONS after it

    UNPARSABLE_NUMBER = "UNPARSABLE_NUMBER"
    UNPARSABLE_DATE = "UNPARSABLE_DATE"
    MISSING_VALUE = "MISSING_VALUE"
    UNKNOWN_LABEL = "UNKNOWN_LABEL"
    UNKNOWN_COLUMN = "UNKNOWN_COLUMN"  # it looks like one that would be read
    UNREADABLE_FILE = "UNREADABLE_FILE"  # one of many: the others are read
    WRONG_CELL_COUNT = "WRONG_CELL_COUNT"


# What is said of bars beside other bars: it may be taken back when others come.
JUDGED: Final = frozenset(
    {Rule.UNEXPLAINED_JUMP, Rule.INFERRED_SPLIT, Rule.SPLIT_WITHOUT_MOVE, Rule.UNEXPLAINED_ADJUSTMENT}
)


# What an operator may decide about.
DECIDED: Final = frozenset({Rule.UNEXPLAINED_JUMP, Rule.INFERRED_SPLIT, Rule.SPLIT_WITHOUT_MOVE, Rule.DELISTED})


@dataclass(frozen=True, slots=True)
class Finding:
    """One row, or one field of it, that was set aside. `symbol` and `day` are None where they cannot be read.

    `value` is the close or the split of a bar that was judged.
    """

    symbol: str | None
    day: date | None
    rule: Rule
    detail: str
    provider: str
    file: str | None = None
    line: int | None = None
    value: float | None = None


def rejections(rules: Counter[Rule]) -> str:
    """Return what is said of a symbol whose rows were set aside."""
    return "its rows were rejected: " + ", ".join(f"{count} {rule}" for rule, count in sorted(rules.items()))
