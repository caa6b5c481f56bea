"""What an assessment needs, loaded session by session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

import numpy as np

from services.risk.core.assessment import AssessmentInputs, Books, FactorHistory
from services.risk.core.risk_context import PRICE_SESSIONS, RETURN_SESSIONS
from services.risk.core.scenarios import SCENARIOS, RateSensitivity
from services.risk.storage.repository import RiskRepository
from services.risk.storage.universe_repository import UniverseRepository
from shared.arrays import FloatArray
from shared.contracts.risk import RiskDue
from shared.conventions import FACTOR_WINDOW, FACTORS, RISK_FACTORS
from shared.factor_set import FactorSet
from shared.prices.panel import PricePanel
from shared.returns import simple_returns

# What sectors and holdings are compared with, where it has been loaded.
BENCHMARK: Final = "SP500"


@dataclass(frozen=True, slots=True)
class InputLoader:
    """Reads what is stored here, the prices from the panel."""

    repository: RiskRepository
    universes: UniverseRepository
    panel: PricePanel
    factor_set: FactorSet
    rate: RateSensitivity

    async def sessions_of(self, due: RiskDue) -> list[date]:
        """Return the sessions to assess on which any of the portfolios has a book, oldest first.

        Those that are due, and those that corrections have touched since they were assessed.
        """
        own = await self.repository.list_sessions(due)
        touched = await self.repository.take_touched(due.portfolio_ids)
        # After the corrections are seen: their prices were stored before them.
        await self.panel.refresh()
        return sorted(touched.union(own))

    async def of_one(self, portfolio_id: UUID, as_of: date) -> AssessmentInputs:
        """Return the inputs of one portfolio at one session."""
        await self.panel.refresh()
        return await self.of_session([portfolio_id], as_of)

    async def of_session(self, portfolio_ids: Sequence[UUID], as_of: date) -> AssessmentInputs:
        """Return the inputs of one session; the panel has to be fresh."""
        return await self.of_books(await self.repository.load_books(portfolio_ids, as_of), as_of)

    async def of_books(self, books: Books, as_of: date) -> AssessmentInputs:
        """Return what is known at a session of the symbols of books, whichever session they are of."""
        known = await self.repository.load_betas(books.symbols, as_of)
        return AssessmentInputs(
            books=books,
            betas=known.part(np.s_[:, : len(FACTORS)]),
            model=known.part(np.s_[:, len(FACTORS) :]),
            sectors=await self.repository.load_sectors(books.symbols),
            returns=self._returns(books.symbols, as_of),
            episodes=self._episodes(books.symbols, as_of),
            factors=self._factors(as_of),
            benchmark=await self.repository.find_benchmark(BENCHMARK, as_of),
            constituents=await self.universes.find_constituents(BENCHMARK, as_of),
            taints=await self.repository.load_taints(books.symbols, first=self._begin(as_of), last=as_of),
        )

    def returns_between(self, symbols: Sequence[str], first: date, last: date) -> FloatArray:
        """Return the total returns of symbols from one close to another, NaN where one of them is missing."""
        before, after = (self.panel.window(symbols, last=day, sessions=1).adjusted[-1] for day in (first, last))
        returns: FloatArray = after / before - 1.0
        return returns

    def _begin(self, as_of: date) -> date:
        """Return the first session of the window of betas and loadings, or of the calendar."""
        first: date = self.panel.window((), last=as_of, sessions=FACTOR_WINDOW + 1).sessions[0].item()
        return first

    def _factors(self, as_of: date) -> FactorHistory:
        proxies = tuple(self.factor_set.proxy(factor) for factor in RISK_FACTORS)
        tickers = [proxy or "" for proxy in proxies]
        return FactorHistory(proxies, self._returns(tickers, as_of), self._episodes(tickers, as_of), self.rate)

    def _returns(self, symbols: Sequence[str], as_of: date) -> FloatArray:
        prices = self.panel.window(symbols, last=as_of, sessions=PRICE_SESSIONS)
        returns = simple_returns(prices.adjusted).T
        # Near the beginning of the calendar there are fewer sessions: nobody has a return before it.
        short = RETURN_SESSIONS - returns.shape[1]
        return np.ascontiguousarray(np.pad(returns, ((0, 0), (short, 0)), constant_values=np.nan))

    def _episodes(self, symbols: Sequence[str], as_of: date) -> dict[str, FloatArray]:
        """Return the symbols' returns over the replays that had ended by the session and of which any is known."""
        found = {}
        for scenario in SCENARIOS:
            if scenario.episode is None or scenario.episode[1] > as_of:
                continue
            first, last = (self.panel.window(symbols, last=day, sessions=1).adjusted[-1] for day in scenario.episode)
            realised = last / first - 1.0
            if np.isfinite(realised).any():
                found[scenario.scenario_id] = realised
        return found
