"""The newest risk of a portfolio is that of its newest inputs, whoever computed or announced them last."""

from datetime import timedelta
from itertools import permutations
from typing import Literal
from uuid import UUID, uuid4

import pytest

from services.risk.core.scenarios import RateSensitivity
from services.risk.handlers.assess_portfolios import assess_portfolios
from shared.contracts.event import Event
from shared.contracts.market_data import PricesUpdated
from shared.contracts.risk import RiskDue
from shared.contracts.run import ONLY_PART
from shared.contracts.symbol_analytics import SymbolsFactored
from shared.conventions import MARKET_BETA
from shared.factor_set import FactorSet
from shared.prices.panel import PricePanel
from tests.integration.risk.conftest import Risk
from tests.integration.risk.events import book, closes, factored, new_symbols, priced, profiled, valued
from tests.support.interleaving import ORDERS, Order, interleave
from tests.support.runs import make_run


def betas_of(symbol: str, beta: float, *, revision: int) -> SymbolsFactored:
    return factored(make_run(), {symbol: beta}).model_copy(update={"revisions": ((revision,),)})


async def market_beta(risk: Risk, portfolio_id: UUID) -> float:
    return float((await risk.factor(portfolio_id, MARKET_BETA)).beta)


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
@pytest.mark.parametrize("known", [False, True], ids=["first", "revised"])
async def test_old_and_new_assessment_in_any_order_leave_the_risk_of_the_new_prices(
    risk: Risk, order: Order, known: bool
) -> None:
    (symbol,) = new_symbols(1)
    portfolio_id, beside, right = uuid4(), uuid4(), uuid4()
    dues = {"old": _due(portfolio_id), "new": _due(portfolio_id, beside)}
    books = [book(entry, {symbol: 200_000.0}) for entry in (portfolio_id, beside, right)]
    await risk.deliver(valued(make_run(), *books), _prices(symbol, 70.0))
    if known:
        await risk.deliver(_due(portfolio_id))
    await risk.deliver(_prices(symbol, 80.0))

    async def compute(who: Literal["old", "new"], panel: PricePanel) -> None:
        async with risk.service.unit_of_work() as uow:
            await assess_portfolios(dues[who], uow, panel=panel, factor_set=FactorSet(), rate=RateSensitivity())

    async def correct() -> None:
        await risk.deliver(_prices(symbol, 90.0))

    await interleave(order, risk.service.engine, compute=compute, correct=correct)

    await risk.deliver(_due(right))
    measured = [(await risk.measures(entry))["volatility_21d"].value for entry in (portfolio_id, beside, right)]
    assert measured[0] == measured[1] == measured[2]


def _due(*portfolio_ids: UUID) -> RiskDue:
    return RiskDue(run=make_run(), part=ONLY_PART, portfolio_ids=portfolio_ids)


def _prices(symbol: str, last: float) -> PricesUpdated:
    prices = closes()
    prices[-1] = last
    return priced(make_run(), {symbol: prices})


# The third says again what the first said: it is the newest all the same.
@pytest.mark.parametrize("order", list(permutations((1, 2, 3))), ids=str)
async def test_betas_in_any_order_leave_the_newest_revision(risk: Risk, order: tuple[int, ...]) -> None:
    (symbol,) = new_symbols(1)
    portfolio_id, said = uuid4(), {1: 0.7, 2: 0.8, 3: 0.7}

    await risk.deliver(*(betas_of(symbol, said[revision], revision=revision) for revision in order))

    await risk.deliver(valued(make_run(), book(portfolio_id, {symbol: 200_000.0})))
    await risk.deliver(_due(portfolio_id))
    assert await market_beta(risk, portfolio_id) == 0.7


async def test_betas_without_a_revision_are_older_than_any_with_one(risk: Risk) -> None:
    (symbol,) = new_symbols(1)
    portfolio_id = uuid4()

    await risk.deliver(betas_of(symbol, 0.7, revision=1), factored(make_run(), {symbol: 0.9}))

    await risk.deliver(valued(make_run(), book(portfolio_id, {symbol: 200_000.0})))
    await risk.deliver(_due(portfolio_id))
    assert await market_beta(risk, portfolio_id) == 0.7


@pytest.mark.parametrize("order", list(permutations((0, 1, 2))), ids=str)
async def test_profiles_in_any_order_leave_the_sector_that_was_fetched_last(risk: Risk, order: tuple[int, ...]) -> None:
    (symbol,) = new_symbols(1)
    said: list[Event] = []
    for day, sector in enumerate(("Technology", "Energy", "Technology")):
        event = profiled(make_run(), {symbol: sector})
        (profile,) = event.profiles
        later = profile.model_copy(update={"fetched_at": profile.fetched_at + timedelta(days=day)})
        said.append(event.model_copy(update={"profiles": (later,)}))

    await risk.deliver(*(said[place] for place in order))

    (row,) = await risk.rows("SELECT sector FROM profiles WHERE symbol = :symbol", symbol=symbol)
    assert row.sector == "Technology"


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))), ids=str)
async def test_books_in_any_order_leave_the_newest_revision(risk: Risk, order: tuple[int, ...]) -> None:
    (symbol,) = new_symbols(1)
    portfolio_id, held = uuid4(), {1: 100.0, 2: 200.0, 3: 100.0}

    for revision in order:
        await risk.deliver(valued(make_run(), book(portfolio_id, {symbol: held[revision]}, revision=revision)))

    (row,) = await risk.rows("SELECT revision, exposures FROM books WHERE portfolio_id = :id", id=portfolio_id)
    assert (row.revision, row.exposures) == (3, [100.0])
