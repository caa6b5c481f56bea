"""Compute the factor betas and the daily metrics of a shard of symbols as of each session that is due."""

import asyncio

from services.symbol_analytics.core.analysis import analyse
from services.symbol_analytics.core.columns import METRICS
from services.symbol_analytics.events import symbol_table
from services.symbol_analytics.storage.fundamentals_repository import FundamentalsRepository
from services.symbol_analytics.storage.inputs import load_window
from services.symbol_analytics.storage.repository import SymbolAnalyticsRepository
from services.symbol_analytics.storage.rows import Shard, estimate_columns, loading_columns, metric_columns
from shared.bus.cancelled_runs import unless_cancelled
from shared.contracts.symbol_analytics import SymbolAnalyticsDue, SymbolsFactored, SymbolsMeasured
from shared.conventions import SYMBOL_COLUMNS
from shared.db.claims import claim
from shared.db.unit_of_work import UnitOfWork
from shared.factor_set import FactorSet
from shared.prices.panel import PricePanel


async def analyse_symbols(
    event: SymbolAnalyticsDue, uow: UnitOfWork, *, panel: PricePanel, factor_set: FactorSet
) -> None:
    """Claim the symbols, load prices and fundamentals, analyse, store, announce."""
    repository = SymbolAnalyticsRepository(uow.connection)
    await claim(uow.connection, event.symbols)
    window = await load_window(uow.connection, panel, event, factor_set)
    fundamentals = await FundamentalsRepository(uow.connection).load_fundamentals(
        event.symbols, first=window.as_ofs[0], last=window.as_ofs[-1]
    )
    factor_set_id = await repository.store_factor_set(factor_set)

    analyses = [
        await asyncio.to_thread(analyse, prices, fundamentals, factor_set=factor_set)
        async for prices in unless_cancelled(window.at_each_session(), uow.connection, event.run.run_id)
    ]

    shard = Shard(event.symbols, event.run.run_id, factor_set_id)
    cells = len(shard.symbols) * len(analyses)
    factored = await repository.store_estimates(estimate_columns(shard, analyses))
    await repository.store_loadings(loading_columns(shard, analyses))
    measured = await repository.store_metrics(metric_columns(shard, analyses))

    factors = [(analysis.as_of, analysis.announced_factors) for analysis in analyses]
    metrics = [(analysis.as_of, analysis.metrics) for analysis in analyses]
    factors_of = symbol_table(
        SymbolsFactored, event, columns=SYMBOL_COLUMNS, results=factors, unchanged=cells - factored
    )
    revisions = await repository.load_revisions(event.symbols, window.as_ofs)
    uow.emit(
        factors_of.model_copy(update={"revisions": revisions}),
        symbol_table(SymbolsMeasured, event, columns=METRICS, results=metrics, unchanged=cells - measured),
    )
