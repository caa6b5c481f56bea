"""What came of asking the providers for a symbol one after the other."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """Why a provider has no answer."""

    ABSENT = "absent"  # it does not have it, or what it has was rejected
    FAILED = "failed"  # it was not the symbol, the provider itself failed
    NOT_ASKED = "not asked"  # it has failed before


class Lacking(StrEnum):
    """Why a vendor has nothing of a symbol, by its own word."""

    UNKNOWN = "unknown"
    DELISTED = "delisted"  # it had bars once
    NOT_ENTITLED = "not entitled"  # the plan does not have it


@dataclass(frozen=True, slots=True)
class Attempt:
    """Why one provider had no answer for one symbol; `lacking`: what it has just said of the symbol itself."""

    provider: str
    detail: str
    outcome: Outcome = Outcome.ABSENT
    lacking: Lacking | None = None

    @property
    def failed(self) -> bool:
        """Whether nothing is settled by it."""
        return self.outcome is not Outcome.ABSENT
