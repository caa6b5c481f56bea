"""Defects of the predecessor's symbol analytics that lie between the numbers: calendars, callers, counts, batches."""

import ast
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import numpy as np
import pytest

from services.symbol_analytics import subscribers
from services.symbol_analytics.core.analysis import Analysis, ShardPrices, analyse
from services.symbol_analytics.core.columns import FACTOR_COLUMNS
from services.symbol_analytics.core.factors import FACTOR_METHODS
from services.symbol_analytics.events import report_failed_analysis
from services.symbol_analytics.settings import SymbolAnalyticsSettings
from services.symbol_analytics.storage.rows import Shard, estimate_columns
from shared.arrays import FloatArray
from shared.contracts.event import Failure
from shared.contracts.symbol_analytics import SymbolAnalyticsDue
from shared.conventions import FACTORS
from tests.support.golden import closes as golden_closes
from tests.support.runs import make_run
from tests.support.source import modules
from tests.unit.symbol_analytics.companies import SESSIONS, Company, fundamentals
from tests.unit.symbol_analytics.worlds import STANDARD, column, random_world


def analysed(closes: FloatArray, proxies: dict[str, FloatArray]) -> Analysis:
    count = len(closes)
    prices = ShardPrices(SESSIONS[-count:], closes, closes, np.ones_like(closes), proxies)
    return analyse(prices, fundamentals([Company()] * closes.shape[1]), factor_set=STANDARD)


@pytest.mark.parametrize("young", [0, 1, 44, 59])
def test_defect_g9_market_beta_of_the_market_is_one_whatever_else_is_in_the_batch(young: int) -> None:
    world = golden_closes().iloc[-266:]
    proxies = {ticker: world[ticker].to_numpy() for ticker in STANDARD.tickers()}
    newcomer = world["ZAAA"].to_numpy(copy=True)
    newcomer[: len(newcomer) - young - 1] = np.nan
    gappy = world["ZAAB"].to_numpy(copy=True)
    gappy[-60::7] = np.nan
    alone = analysed(world.to_numpy(), proxies)
    together = analysed(np.column_stack([world.to_numpy(), newcomer, gappy]), proxies)

    at = list(world.columns).index("SPY"), column("market_beta")
    assert together.estimates.betas.values[at] == 1.0
    assert together.estimates.n_observations[at] == 90
    count = world.shape[1]
    assert np.array_equal(together.estimates.betas.values[:count], alone.estimates.betas.values, equal_nan=True)


def test_defect_q14_there_is_one_beta_a_symbol_and_factor_and_the_look_up_copies_it() -> None:
    world = random_world()
    analysis = analysed(world.closes, world.proxies)
    shard = Shard(tuple("ABCDE"), make_run().run_id, 1)
    table = estimate_columns(shard, [analysis])
    assert len(set(zip(table["symbol"], table["as_of"], strict=True))) == len(table["symbol"])
    assert {len(betas) for betas in table["betas"]} == {len(FACTORS)}
    assert [name.removeprefix("factor_") for name in FACTOR_COLUMNS] == list(FACTORS)


def test_defect_q18_there_is_one_calendar_and_no_rule_about_weekdays_beside_it() -> None:
    calendars = {"exchange_calendars", "pandas_market_calendars", "holidays"}
    rules = {"weekday", "isoweekday", "BDay", "CustomBusinessDay"}
    # What is not in the text of a module is not in its tree, which takes longer to get.
    suspects = [module for module in modules("services", "shared") if any(map(module.text.count, calendars | rules))]
    found = {
        module.path
        for module in suspects
        for node in module.nodes
        if (isinstance(node, ast.Import) and calendars & {alias.name for alias in node.names})
        or (isinstance(node, ast.ImportFrom) and node.module in calendars)
        or (isinstance(node, ast.Attribute) and node.attr in rules)
    }
    assert found == {"shared/calendar.py"}


def test_defect_q19_every_consumer_of_the_service_can_be_called_as_it_is_registered() -> None:
    registered: list[tuple[Any, Callable[..., Any], dict[str, Any]]] = []

    def record(
        event_type: Any,
        handler: Callable[..., Any],
        *,
        on_failure: Callable[..., Any] | None = None,
        at_once: int | None = None,
        **resources: Any,
    ) -> None:
        registered.append((event_type, handler, resources))
        if on_failure is not None:
            inspect.signature(on_failure).bind("event", "failure", "uow")

    fan_in: Any = type("FanIn", (), {"arrive_failed": lambda self, event, failure, uow: None})()
    consume: Any = record
    panel: Any = "panel"
    subscribers.register(consume, SymbolAnalyticsSettings(), fan_in=fan_in, panel=panel, factor_set=STANDARD)

    assert len(registered) == 5
    for event_type, handler, resources in registered:
        bound = inspect.signature(handler).bind("event", "uow", **resources)
        assert get_type_hints(handler)[next(iter(bound.arguments))] is event_type


def test_defect_q20_every_symbol_has_every_factor_exactly_once() -> None:
    world = random_world()
    world.closes[:, 1] = np.nan
    del world.proxies["USMV"]
    table = estimate_columns(Shard(tuple("ABCDE"), make_run().run_id, 1), [analysed(world.closes, world.proxies)])
    assert len(FACTORS) == len(set(FACTORS)) == len(FACTOR_METHODS) == 13
    assert list(table["symbol"]) == list("ABCDE")
    assert {len(entries) for name in ("betas", "reasons", "methods") for entries in table[name]} == {len(FACTORS)}


async def test_defect_q6_failure_of_one_shard_is_told_of_every_symbol_of_it_in_both_stages() -> None:
    due = SymbolAnalyticsDue(run=make_run(), part={"index": 0, "total": 1}, symbols=("A", "B"))
    told: list[Any] = []
    uow: Any = type("UnitOfWork", (), {"emit": lambda self, *events: told.extend(events)})()
    await report_failed_analysis(due, Failure(subject="x", reason="KeyError", detail="a bug"), uow)
    assert [event.topic for event in told] == ["symbols.factored", "symbols.measured"]
    assert {(event.symbols, event.as_ofs) for event in told} == {((), (due.run.first_session,))}
    for event in told:
        assert [failure.subject for failure in event.failures] == ["A", "B"]
