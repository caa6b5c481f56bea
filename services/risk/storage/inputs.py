"""What assessments need, loaded for some sessions at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Final
from uuid import UUID

import numpy as np

from services.risk.core.active_share import Constituents
from services.risk.core.assessment import AssessmentInputs, Books, FactorHistory
from services.risk.core.risk_context import PRICE_SESSIONS, RETURN_SESSIONS
from services.risk.core.scenarios import SCENARIOS, RateSensitivity
from services.risk.core.sectors import Benchmark
from services.risk.storage.repository import RiskRepository
from services.risk.storage.universe_repository import UniverseRepository
from shared.arrays import FloatArray
from shared.contracts.risk import RiskDue
from shared.conventions import FACTOR_WINDOW, FACTORS, RISK_FACTORS
from shared.factor_set import FactorSet
from shared.prices.held import taints_of
from shared.prices.panel import PricePanel
from shared.returns import simple_returns
from shared.unavailable import Quantities

# What sectors and holdings are compared with, where it has been loaded.
BENCHMARK: Final = "SP500"


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of books and of their symbols at a session; `betas` as `RiskRepository.load_betas` has them."""

    as_of: date
    books: Books
    betas: Quantities
    sectors: tuple[str, ...]
    taints: Mapping[str, str]
    benchmark: Benchmark | None
    constituents: Constituents | None


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
        return await self.of_session(portfolio_id, as_of)

    async def of_session(self, portfolio_id: UUID, as_of: date) -> AssessmentInputs:
        """Return the inputs of one portfolio at one session; the panel has to be fresh."""
        (known,) = await self.of_sessions([portfolio_id], [as_of])
        return self.inputs(known)

    async def of_books(self, books: Books, as_of: date) -> AssessmentInputs:
        """Return what is known at a session of the symbols of books, whichever session they are of."""
        (known,) = await self._known({as_of: books})
        return self.inputs(known)

    async def of_sessions(self, portfolio_ids: Sequence[UUID], as_ofs: Sequence[date]) -> list[Known]:
        """Return what is stored of the portfolios and their symbols at each of the sessions, in their order."""
        books = await self.repository.load_books(portfolio_ids, as_ofs)
        return await self._known(dict(zip(as_ofs, books, strict=True)))

    def inputs(self, known: Known) -> AssessmentInputs:
        """Return the inputs of one session: what is stored, and the prices of the panel, which has to be fresh."""
        books, as_of = known.books, known.as_of
        return AssessmentInputs(
            books=books,
            betas=known.betas.part(np.s_[:, : len(FACTORS)]),
            model=known.betas.part(np.s_[:, len(FACTORS) :]),
            sectors=known.sectors,
            returns=self._returns(books.symbols, as_of),
            episodes=self._episodes(books.symbols, as_of),
            factors=self._factors(as_of),
            benchmark=known.benchmark,
            constituents=known.constituents,
            taints=known.taints,
        )

    async def _known(self, books: Mapping[date, Books]) -> list[Known]:
        symbols = sorted(set(chain.from_iterable(of_session.symbols for of_session in books.values())))
        betas = await self.repository.load_betas({as_of: found.symbols for as_of, found in books.items()})
        sectors = dict(zip(symbols, await self.repository.load_sectors(symbols), strict=True))
        begins = {as_of: self._begin(as_of) for as_of in books}
        held = await self.repository.load_held(symbols, first=min(begins.values()), last=max(books))
        return [
            Known(
                as_of=as_of,
                books=found,
                betas=betas[as_of],
                sectors=tuple(sectors[symbol] for symbol in found.symbols),
                taints=taints_of(held, found.symbols, first=begins[as_of], last=as_of),
                benchmark=await self.repository.find_benchmark(BENCHMARK, as_of),
                constituents=await self.universes.find_constituents(BENCHMARK, as_of),
            )
            for as_of, found in books.items()
        ]

    def returns_between(self, symbols: Sequence[str], first: date, last: date) -> FloatArray:
        """Return the total returns of symbols from one close to another, NaN where one of them is missing."""
        before, after = (self.panel.adjusted(symbols, last=day, sessions=1)[:, -1] for day in (first, last))
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
        prices = self.panel.adjusted(symbols, last=as_of, sessions=PRICE_SESSIONS)
        returns = simple_returns(prices.T).T
        # Near the beginning of the calendar there are fewer sessions: nobody has a return before it.
        short = RETURN_SESSIONS - returns.shape[1]
        return np.ascontiguousarray(np.pad(returns, ((0, 0), (short, 0)), constant_values=np.nan))

    def _episodes(self, symbols: Sequence[str], as_of: date) -> dict[str, FloatArray]:
        """Return the symbols' returns over the replays that had ended by the session and of which any is known."""
        found = {}
        for scenario in SCENARIOS:
            if scenario.episode is None or scenario.episode[1] > as_of:
                continue
            first, last = (self.panel.adjusted(symbols, last=day, sessions=1)[:, -1] for day in scenario.episode)
            realised = last / first - 1.0
            if np.isfinite(realised).any():
                found[scenario.scenario_id] = realised
        return found
