"""The deadlines of a run's stages: which have passed at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.scheduler.core.ledger import StageTally

PORTFOLIO_STAGES: Final = frozenset({"portfolios.valued", "portfolios.assessed"})


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long the symbol stages may take from the run's start, and the portfolio stages from the end of those."""

    symbols: timedelta
    portfolios: timedelta

    @property
    def shortest(self) -> timedelta:
        """No stage of a run is overdue before it is as old as that."""
        return min(self.symbols, self.portfolios)

    def of(self, stage: str) -> timedelta:
        """Return how long a stage may take."""
        return self.portfolios if stage in PORTFOLIO_STAGES else self.symbols


def overdue_stages(
    tallies: Sequence[StageTally], deadlines: Deadlines, *, counts_from: datetime, now: datetime
) -> tuple[StageTally, ...]:
    """Return the stages that have not ended although their time is up.

    While any symbol stage goes on, no portfolio stage is overdue: it may still be waiting.
    """
    symbols = [entry for entry in tallies if entry.stage not in PORTFOLIO_STAGES]
    portfolios = [entry for entry in tallies if entry.stage in PORTFOLIO_STAGES]
    ends = [entry.ended_at for entry in symbols if entry.ended_at is not None]
    if len(ends) < len(symbols):
        group, due = symbols, counts_from + deadlines.symbols
    else:
        group, due = portfolios, max([counts_from, *ends]) + deadlines.portfolios
    return tuple(entry for entry in group if entry.ended_at is None) if now >= due else ()
