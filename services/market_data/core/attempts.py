"""What came of asking the providers for a symbol one after the other."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """Why a provider has no answer."""

    ABSENT = "absent"  # it does not have it, or what it has was rejected
    FAILED = "failed"  # it was not the symbol, the provider itself failed
    NOT_ASKED = "not asked"  # it has failed before


@dataclass(frozen=True, slots=True)
class Attempt:
    """Why one provider had no answer for one symbol."""

    provider: str
    detail: str
    outcome: Outcome = Outcome.ABSENT

    @property
    def failed(self) -> bool:
        """Whether nothing is settled by it."""
        return self.outcome is not Outcome.ABSENT
