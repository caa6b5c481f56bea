"""Defects of the predecessor's symbol analytics that only show over several runs."""

from typing import Any

import numpy as np

from services.symbol_analytics.handlers.analyse_symbols import analyse_symbols
from shared.calendar import shift_session
from shared.contracts.run import ONLY_PART
from shared.contracts.symbol_analytics import SymbolAnalyticsDue
from shared.conventions import FACTORS
from shared.prices.panel import PricePanel
from shared.prices.store_prices import store_prices
from tests.integration.symbol_analytics.conftest import FACTOR_SET, Analytics, new_symbols, priced, proxies, walk
from tests.support.runs import SESSION, make_run

BEFORE = shift_session(SESSION, -1)


async def _revisions(analytics: Analytics, symbol: str) -> list[tuple[int, int]]:
    """Return the revisions of a symbol, and of how many factors each says something."""
    query = "SELECT revision, cardinality(betas) FROM symbol_estimates WHERE symbol = :symbol ORDER BY revision"
    return [(revision, factors) for revision, factors in await analytics.rows(query, symbol=symbol)]


def _beta(shown: Any, factor: str) -> float:
    beta: float = next(entry["beta"]["value"] for entry in shown["factors"]["factors"] if entry["factor"] == factor)
    return beta


async def test_defect_q7_corrected_price_refreshes_every_method_and_unchanged_ones_none(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    closes = walk(40)
    for _ in range(2):
        await analytics.analyse(priced(make_run(symbols=[name]), {name: closes}))
    assert await _revisions(analytics, name) == [(1, len(FACTORS))]

    closes[-10] *= 1.03
    await analytics.analyse(priced(make_run(symbols=[name]), {name: closes}))
    assert await _revisions(analytics, name) == [(1, len(FACTORS)), (2, len(FACTORS))]


async def test_defect_g10_methods_of_one_row_are_known_to_be_done(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    for _ in range(3):
        await analytics.analyse(priced(make_run(symbols=[name]), {name: walk(41)}))

    assert await _revisions(analytics, name) == [(1, len(FACTORS))]


async def test_defect_q10_symbol_that_comes_after_the_prices_were_loaded_is_analysed(analytics: Analytics) -> None:
    first, second = new_symbols(2)
    await analytics.analyse(priced(make_run(symbols=[first]), {first: walk(42)}))
    assert np.isnan(analytics.panel.window([second], last=SESSION, sessions=1).close).all()

    await analytics.analyse(priced(make_run(symbols=[second]), {second: walk(43)}))

    assert _beta(await analytics.shown(second, SESSION), "market_beta") is not None


async def test_defect_g11_days_computed_one_after_another_in_a_process_are_those_of_a_new_one(
    analytics: Analytics,
) -> None:
    (name,) = new_symbols(1)
    closes = walk(44, 270)
    closes[-1] *= 1.4
    long = {ticker: np.append(np.full(4, prices[0]), prices) for ticker, prices in proxies().items()}
    for day, until in ((BEFORE, -1), (SESSION, None)):
        run = make_run(first_session=day, last_session=day, symbols=[name])
        series = {symbol: prices[:until] for symbol, prices in {**long, name: closes}.items()}
        await analytics.analyse(priced(run, series))
    assert _beta(await analytics.shown(name, SESSION), "market_beta") != _beta(
        await analytics.shown(name, BEFORE), "market_beta"
    )

    for day in (BEFORE, SESSION):
        due = SymbolAnalyticsDue(run=make_run(first_session=day, last_session=day), part=ONLY_PART, symbols=(name,))
        async with analytics.service.unit_of_work() as uow:
            await analyse_symbols(due, uow, panel=PricePanel(analytics.service.engine), factor_set=FACTOR_SET)

    # The same digests: nothing was written anew of either day.
    assert await _revisions(analytics, name) == [(1, len(FACTORS))] * 2
    assert await analytics.revisions([name], "symbol_metrics") == {name: 1}


async def test_defect_q11_run_after_one_that_stored_prices_and_died_computes_what_is_missing(
    analytics: Analytics,
) -> None:
    (name,) = new_symbols(1)
    first = shift_session(SESSION, -3)
    prices = priced(make_run(first_session=first, last_session=SESSION, symbols=[name]), {name: walk(45)})
    async with analytics.service.unit_of_work() as uow:
        await store_prices(prices, uow, fan_in=analytics.fan_in)
    assert await analytics.revisions([name], "symbol_metrics") == {}

    again = make_run(first_session=first, last_session=SESSION, symbols=[name])
    await analytics.analyse(prices.model_copy(update={"run": again}))

    for back in range(4):
        shown = await analytics.shown(name, shift_session(SESSION, -back))
        assert shown["as_of"] == str(shift_session(SESSION, -back))
        assert _beta(shown, "market_beta") is not None


async def test_defect_q17_metrics_of_an_earlier_session_leave_the_newest_ones(analytics: Analytics) -> None:
    (name,) = new_symbols(1)
    run = make_run(symbols=[name])
    await analytics.analyse(priced(run, {name: walk(46)}))
    newest = await analytics.shown(name, SESSION)
    earlier = make_run(first_session=BEFORE, last_session=BEFORE, symbols=[name])
    await analytics.analyse(priced(run, {name: walk(46)}).model_copy(update={"run": earlier}))

    assert await analytics.shown(name, SESSION) == newest
    assert (await analytics.shown(name, BEFORE))["metrics"]["as_of"] == str(BEFORE)
    factored, measured = await analytics.results(run)  # one stage of every run, for the symbols of the factors
    assert measured.symbols == factored.symbols
