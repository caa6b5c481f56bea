"""How far a chain is: who was asked for which symbol in vain, and what is still missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.market_data.core.attempts import Attempt
from shared.unavailable import Reason, Unavailable

NO_PROVIDERS: Final = "none is configured"


@dataclass(frozen=True, slots=True)
class Attempts:
    """What was tried in vain, per symbol.

    Parameters
    ----------
    by_symbol : mapping of symbol to tuple of Attempt
        Also of symbols that another provider answered for.
    unanswered : tuple of str
        Symbols that no provider answered for.
    """

    by_symbol: Mapping[str, tuple[Attempt, ...]]
    unanswered: tuple[str, ...]

    @property
    def unavailable(self) -> dict[str, Unavailable]:
        """The symbols that no provider answered for, each with what every provider said."""
        return {symbol: self._explain(symbol) for symbol in self.unanswered}

    @property
    def undecided(self) -> tuple[str, ...]:
        """The unanswered symbols on which a provider failed: their absence is not settled."""
        return tuple(s for s in self.unanswered if any(attempt.failed for attempt in self.by_symbol.get(s, ())))

    def _explain(self, symbol: str) -> Unavailable:
        said = "; ".join(f"{attempt.provider}: {attempt.detail}" for attempt in self.by_symbol.get(symbol, ()))
        return Unavailable(Reason.MISSING_DATA, f"no provider serves {symbol} ({said or NO_PROVIDERS})")


@dataclass(slots=True)
class Progress:
    """What is still missing, and what was tried for it."""

    remaining: list[str]
    tried: dict[str, list[Attempt]] = field(default_factory=dict)

    def go_on(self, why: Mapping[str, Attempt], asked: Sequence[str] = ()) -> None:
        """Go on with the symbols that a provider had nothing of; of those that were `asked` beside them it is noted."""
        waiting = set(self.remaining)
        beside = [symbol for symbol in asked if symbol in why and symbol not in waiting]
        self.remaining = [symbol for symbol in self.remaining if symbol in why]
        for symbol in (*self.remaining, *beside):
            self.tried.setdefault(symbol, []).append(why[symbol])

    def attempts(self) -> Attempts:
        """Return what was tried in vain."""
        tried = {symbol: tuple(attempts) for symbol, attempts in self.tried.items()}
        return Attempts(tried, tuple(self.remaining))
