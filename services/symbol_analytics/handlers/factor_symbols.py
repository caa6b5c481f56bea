"""Estimate the factor betas of a shard of symbols as of each session of the run."""

import asyncio
from datetime import date

from services.symbol_analytics.announcing import symbol_table
from services.symbol_analytics.core.digest import factor_digests
from services.symbol_analytics.core.estimates import FactorEstimates
from services.symbol_analytics.core.factors import estimate_factors
from services.symbol_analytics.core.provider_betas import ProviderBetas
from services.symbol_analytics.inputs import ShardWindow, load_window
from services.symbol_analytics.repository import Computed, SymbolAnalyticsRepository
from shared.contracts.symbol_analytics import SymbolAnalyticsDue, SymbolsFactored
from shared.conventions import FACTORS
from shared.db.unit_of_work import UnitOfWork
from shared.factor_set import FactorSet
from shared.prices.panel import PricePanel

Estimated = list[tuple[date, slice, tuple[bytes, ...], FactorEstimates]]


async def factor_symbols(
    event: SymbolAnalyticsDue, uow: UnitOfWork, *, panel: PricePanel, factor_set: FactorSet
) -> None:
    """Load prices and profiles, estimate, store, announce."""
    repository = SymbolAnalyticsRepository(uow.connection)
    window = await load_window(panel, (*event.symbols, *factor_set.tickers()), event)
    provided = await repository.load_provider_betas(event.symbols)
    factor_set_id = await repository.store_factor_set(factor_set)

    estimated = await asyncio.to_thread(_estimate, window, len(event.symbols), factor_set, provided)

    for as_of, rows, digests, estimates in estimated:
        computed = Computed(event.symbols, as_of, digests, event.run.run_id)
        sessions = window.prices.sessions[rows].tolist()
        await repository.store_factors(computed, estimates, sessions, provided=provided, factor_set_id=factor_set_id)

    results = [(as_of, estimates.betas) for as_of, _, _, estimates in estimated]
    uow.emit(symbol_table(SymbolsFactored, event, columns=FACTORS, results=results))


def _estimate(window: ShardWindow, n_symbols: int, factor_set: FactorSet, provided: ProviderBetas) -> Estimated:
    estimated: Estimated = []
    for as_of, rows in window.at_each_session():
        adjusted = window.prices.adjusted[rows]
        closes = adjusted[:, :n_symbols]
        proxies = {ticker: adjusted[:, n_symbols + index] for index, ticker in enumerate(factor_set.tickers())}
        betas = provided.known_at(as_of)
        digests = factor_digests(
            closes, proxies, factor_set=factor_set, provider_betas=betas, provider_origins=provided.origins()
        )
        estimates = estimate_factors(closes, proxies, factor_set=factor_set, provider_betas=betas)
        estimated.append((as_of, rows, digests, estimates))
    return estimated
