"""Why a number is not there, as a sentence for people: the one place that says it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.ops.client.answers.numbers import Measure

SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MISSING_DATA": "Data that this needs are missing",
        "INSUFFICIENT_HISTORY": "There is not enough history yet",
        "DEGENERATE_INPUT": "This cannot be computed from such numbers",
        "STALE_INPUT": "The prices behind this are too old",
        "NOT_APPLICABLE": "This does not apply here",
        "LOW_COVERAGE": "Too little of the portfolio is covered to say this",
        "CURRENCY_MISMATCH": "It is quoted in another currency than the portfolio's, and is not converted",
    }
)


def sentence(reason: str, detail: str | None = None) -> str:
    """Return a reason as a sentence; what is told in detail stands in brackets."""
    told = SENTENCES.get(reason, reason.replace("_", " ").capitalize())
    return f"{told} ({in_words(detail)})." if detail else f"{told}."


def in_words(detail: str) -> str:
    """Return what is told in detail with reasons that are named in it as words."""
    for reason in SENTENCES:
        detail = detail.replace(reason, reason.replace("_", " ").lower())
    return detail


def why(measure: Measure) -> str:
    """Return why there is no number, nothing where there is one."""
    return "" if measure["reason"] is None else sentence(measure["reason"], measure["detail"])
