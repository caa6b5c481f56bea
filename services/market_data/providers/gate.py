"""Whether a vendor is asked, and how much: what the processes of market_data know together."""

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from services.market_data.core.breaking import Failure
from services.market_data.providers.provider import Kind


class Gate(Protocol):
    """Tells who is not asked, and hears of how the asking went."""

    async def refusal(self, provider: str, kind: Kind, /) -> str | None:
        """Return why a provider is not asked for a kind at the moment, None where it is."""

    async def note(self, provider: str, kind: Kind, failure: Failure | None, /) -> None:
        """Remember that a provider has answered, or how it failed."""

    def late(self, provider: str, session: date, /) -> str | None:
        """Return until when a provider does not have the bars of a session, None where it has."""


@dataclass(frozen=True, slots=True)
class AlwaysOpen:
    """Everybody is asked."""

    async def refusal(self, _: str, __: Kind, /) -> None:
        """Refuse nothing."""

    async def note(self, _: str, __: Kind, ___: Failure | None, /) -> None:
        """Remember nothing."""

    def late(self, _: str, __: date, /) -> None:
        """Wait for nobody."""
