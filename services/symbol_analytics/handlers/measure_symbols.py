"""Measure returns and volatilities of a shard of symbols as of each session of the run."""

import asyncio
from datetime import date

import numpy as np

from services.symbol_analytics.announcing import symbol_table
from services.symbol_analytics.core.digest import metric_digests
from services.symbol_analytics.core.measures import METRICS
from services.symbol_analytics.core.metrics import horizon_returns, realised_volatilities, split_adjusted_closes
from services.symbol_analytics.inputs import ShardWindow, load_window
from services.symbol_analytics.repository import Computed, SymbolAnalyticsRepository
from shared.contracts.symbol_analytics import SymbolAnalyticsDue, SymbolsMeasured
from shared.db.unit_of_work import UnitOfWork
from shared.prices.panel import PricePanel
from shared.unavailable import Quantities

Measured = list[tuple[date, tuple[bytes, ...], Quantities]]


async def measure_symbols(event: SymbolAnalyticsDue, uow: UnitOfWork, *, panel: PricePanel) -> None:
    """Load prices, measure, store, announce."""
    repository = SymbolAnalyticsRepository(uow.connection)
    window = await load_window(panel, event.symbols, event)

    measured = await asyncio.to_thread(_measure, window)

    for as_of, digests, metrics in measured:
        await repository.store_metrics(Computed(event.symbols, as_of, digests, event.run.run_id), metrics)

    results = [(as_of, metrics) for as_of, _, metrics in measured]
    uow.emit(symbol_table(SymbolsMeasured, event, columns=METRICS, results=results))


def _measure(window: ShardWindow) -> Measured:
    measured: Measured = []
    for as_of, rows in window.at_each_session():
        prices = window.prices
        close = split_adjusted_closes(prices.close[rows], prices.split[rows])
        adjusted, sessions = prices.adjusted[rows], prices.sessions[rows]
        parts = [
            horizon_returns(close, sessions),
            horizon_returns(adjusted, sessions),
            realised_volatilities(adjusted),
        ]
        metrics = Quantities(
            np.concatenate([part.values for part in parts], axis=1),
            np.concatenate([part.unavailable for part in parts], axis=1),
        )
        measured.append((as_of, metric_digests(close, adjusted), metrics))
    return measured
