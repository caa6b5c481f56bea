"""A number that held closes made unavailable says which."""

import numpy as np
import pytest

from services.symbol_analytics.core.analysis import Analysis, ShardPrices, analyse
from services.symbol_analytics.core.columns import METRICS
from services.symbol_analytics.core.taints import Taint
from shared.conventions import FACTORS, LOADINGS, MARKET_BETA, PROVIDER_BETA, SYMBOL_COLUMNS
from shared.unavailable import Unavailable
from tests.unit.symbol_analytics.companies import Company, fundamentals
from tests.unit.symbol_analytics.worlds import STANDARD, random_world

SESSIONS = np.arange("2022-01-01", "2023-01-01", dtype="datetime64[D]")


def analysed(missing: slice, taint: Taint | None) -> Analysis:
    """Analyse two symbols without profiles, of which the first lacks these closes."""
    world = random_world(n_symbols=2)
    closes = world.closes
    closes[missing, 0] = np.nan
    taints = [taint, None]
    prices = ShardPrices(SESSIONS[-len(closes) :], closes, closes, np.ones_like(closes), world.proxies, taints)
    return analyse(prices, fundamentals([Company()] * 2), factor_set=STANDARD)


def detail(found: Analysis, column: str, symbol: int = 0) -> str:
    table, place = (
        (found.metrics, METRICS.index(column))
        if column in METRICS
        else (found.announced_factors, SYMBOL_COLUMNS.index(column))
    )
    why: Unavailable | None = table.unavailable[symbol, place]
    return "" if why is None else why.detail


def test_what_is_held_is_named_where_its_session_lies_within_the_window() -> None:
    found = analysed(slice(-30, -3), Taint("UNEXPLAINED_JUMP of A on 2022-12-02", age=29))

    assert detail(found, "volatility_63d") == (
        "28 of 63 returns are missing, 57 have to be there; tainted by UNEXPLAINED_JUMP of A on 2022-12-02"
    )
    assert detail(found, "volatility_21d").endswith("have to be there")  # all of its sessions are later
    assert detail(found, "volatility_252d").endswith("2022-12-02")
    assert [detail(found, column) for column in (MARKET_BETA, LOADINGS[0], FACTORS[0])] == ["", "", ""]


@pytest.mark.parametrize(("age", "named"), [(7, True), (8, False)])
def test_stale_price_names_only_what_was_held_since(age: int, named: bool) -> None:
    found = analysed(slice(-8, None), Taint("UNEXPLAINED_JUMP of A on a day", age=age))

    columns = (MARKET_BETA, LOADINGS[0], FACTORS[0], "total_return_1m", "volatility_252d")
    assert [detail(found, column).endswith("on a day") for column in columns] == [named] * 5
    assert "tainted" not in detail(found, PROVIDER_BETA)
    assert "tainted" not in detail(found, MARKET_BETA, symbol=1)


def test_digests_change_with_what_is_held_and_of_that_symbol_only() -> None:
    clean, tainted = analysed(slice(-8, None), None), analysed(slice(-8, None), Taint("UNEXPLAINED_JUMP", age=0))
    for name in ("factor_digests", "metric_digests"):
        before, after = getattr(clean, name), getattr(tainted, name)
        assert (before[0] == after[0], before[1] == after[1]) == (False, True)
