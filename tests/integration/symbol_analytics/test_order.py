"""The newest numbers of a symbol are those of the newest prices, whoever computed or announced them last."""

from typing import Literal

import pytest

from services.symbol_analytics.handlers.analyse_symbols import analyse_symbols
from shared.contracts.market_data import Correction, PricesUpdated
from shared.contracts.run import ONLY_PART, Run
from shared.contracts.symbol_analytics import SymbolAnalyticsDue, SymbolsFactored
from shared.conventions import FACTORS, MARKET_BETA
from shared.prices.panel import PricePanel
from shared.prices.store import store_bars
from tests.integration.symbol_analytics.conftest import FACTOR_SET, Analytics, new_symbols, priced, walk
from tests.support.interleaving import ORDERS, Order, interleave
from tests.support.runs import SESSION, make_run

_BETAS = "SELECT betas FROM symbol_estimates WHERE symbol = :symbol ORDER BY revision DESC LIMIT 1"


def prices_of(run: Run, symbol: str, *, last: float) -> PricesUpdated:
    closes = walk(7)
    closes[-1] = last
    return priced(run, {symbol: closes}).model_copy(
        update={"corrections": (Correction(symbol=symbol, first_session=SESSION),)}
    )


async def newest_beta(analytics: Analytics, symbol: str) -> float:
    (row,) = await analytics.rows(_BETAS, symbol=symbol)
    return float(row.betas[FACTORS.index(MARKET_BETA)])


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
@pytest.mark.parametrize("known", [False, True], ids=["first", "revised"])
async def test_old_and_new_computation_in_any_order_leave_the_numbers_of_the_new_prices(
    analytics: Analytics, order: Order, known: bool
) -> None:
    symbol, other = new_symbols(2)
    runs = {"old": make_run(symbols=(symbol,)), "new": make_run(symbols=(symbol,))}
    if known:
        await analytics.analyse(prices_of(make_run(symbols=(symbol,)), symbol, last=50.0))
    async with analytics.service.unit_of_work() as uow:
        await store_bars(uow.connection, prices_of(runs["old"], symbol, last=60.0))

    async def compute(who: Literal["old", "new"], panel: PricePanel) -> None:
        symbols = (symbol,) if who == "old" else (symbol, other)
        due = SymbolAnalyticsDue(run=runs[who], part=ONLY_PART, symbols=symbols)
        async with analytics.service.unit_of_work() as uow:
            await analyse_symbols(due, uow, panel=panel, factor_set=FACTOR_SET)

    async def correct() -> None:
        async with analytics.service.unit_of_work() as uow:
            await store_bars(uow.connection, prices_of(runs["new"], symbol, last=70.0))

    await interleave(order, analytics.service.engine, compute=compute, correct=correct)

    newest = await newest_beta(analytics, symbol)
    (right,) = new_symbols(1)
    await analytics.analyse(prices_of(make_run(symbols=(right,)), right, last=70.0))
    assert newest == await newest_beta(analytics, right)


async def test_announcement_says_which_revision_each_number_is(analytics: Analytics) -> None:
    (symbol,) = new_symbols(1)
    announced: list[SymbolsFactored] = []
    for last in (50.0, 60.0, 60.0, 50.0):
        run = make_run(symbols=(symbol,))
        await analytics.analyse(prices_of(run, symbol, last=last))
        announced += await analytics.announced(SymbolsFactored, run)

    assert [event.revisions[0][event.symbols.index(symbol)] for event in announced] == [1, 2, 2, 3]
