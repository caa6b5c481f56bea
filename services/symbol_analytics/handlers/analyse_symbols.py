"""Compute the factor betas and the daily metrics of a shard of symbols as of each session that is due."""

import asyncio

from services.symbol_analytics.core.analysis import Analysis, ShardPrices, analyse
from services.symbol_analytics.core.columns import METRICS
from services.symbol_analytics.core.fundamentals import Fundamentals
from services.symbol_analytics.events import symbol_table
from services.symbol_analytics.storage.fundamentals_repository import FundamentalsRepository
from services.symbol_analytics.storage.inputs import ShardWindow, load_window
from services.symbol_analytics.storage.repository import SymbolAnalyticsRepository
from services.symbol_analytics.storage.rows import Shard, factor_columns, metric_columns
from shared.contracts.symbol_analytics import SymbolAnalyticsDue, SymbolsFactored, SymbolsMeasured
from shared.conventions import FACTORS
from shared.db.unit_of_work import UnitOfWork
from shared.factor_set import FactorSet
from shared.prices.panel import PricePanel


async def analyse_symbols(
    event: SymbolAnalyticsDue, uow: UnitOfWork, *, panel: PricePanel, factor_set: FactorSet
) -> None:
    """Load prices and fundamentals, analyse, store, announce."""
    repository = SymbolAnalyticsRepository(uow.connection)
    window = await load_window(panel, (*event.symbols, *factor_set.tickers()), event)
    fundamentals = await FundamentalsRepository(uow.connection).load_fundamentals(
        event.symbols, first=window.as_ofs[0], last=window.as_ofs[-1]
    )
    factor_set_id = await repository.store_factor_set(factor_set)

    analyses = await asyncio.to_thread(_analyse, window, fundamentals, factor_set)

    shard = Shard(event.symbols, event.run.run_id, factor_set_id)
    cells = len(shard.symbols) * len(analyses)
    # The factors of a symbol have one digest: all of them are written, or none is.
    factored = await repository.store_factors(factor_columns(shard, analyses)) // len(FACTORS)
    measured = await repository.store_metrics(metric_columns(shard, analyses))

    betas = [(analysis.as_of, analysis.estimates.betas) for analysis in analyses]
    metrics = [(analysis.as_of, analysis.metrics) for analysis in analyses]
    uow.emit(
        symbol_table(SymbolsFactored, event, columns=FACTORS, results=betas, unchanged=cells - factored),
        symbol_table(SymbolsMeasured, event, columns=METRICS, results=metrics, unchanged=cells - measured),
    )


def _analyse(window: ShardWindow, fundamentals: Fundamentals, factor_set: FactorSet) -> list[Analysis]:
    prices, proxies = window.prices, factor_set.tickers()
    n_symbols = len(prices.symbols) - len(proxies)
    analyses = []
    for _, rows in window.at_each_session():
        seen = ShardPrices(
            sessions=prices.sessions[rows],
            close=prices.close[rows, :n_symbols],
            adjusted=prices.adjusted[rows, :n_symbols],
            split=prices.split[rows, :n_symbols],
            proxies={ticker: prices.adjusted[rows, n_symbols + index] for index, ticker in enumerate(proxies)},
        )
        analyses.append(analyse(seen, fundamentals, factor_set=factor_set))
    return analyses
