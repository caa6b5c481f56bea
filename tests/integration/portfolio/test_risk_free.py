"""Rates that come with prices are what the ratios of a book are over; without any it is the constant."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from services.portfolio.handlers.store_prices import store_prices
from shared.contracts.market_data import RiskFreeRate
from tests.integration.portfolio.conftest import WEEK, Books, new_name, priced, run_for


@pytest.fixture
async def cleared(books: Books) -> AsyncIterator[Books]:
    """Books without a rate, before and after."""
    for moment in ("before", "after"):
        async with books.service.unit_of_work() as uow:
            await uow.connection.execute(sa.text("TRUNCATE risk_free_rates"))
        if moment == "before":
            yield books


async def test_rates_that_come_with_prices_are_what_ratios_are_over(cleared: Books) -> None:
    symbol = new_name()
    closes = {symbol: dict.fromkeys(WEEK, 100.0)}
    entered = await cleared.open((symbol, "10", WEEK[0], "100"))
    portfolio_id = entered["portfolio_id"]
    await cleared.value(await cleared.request(entered["run_id"]), closes)
    path = f"/portfolios/{portfolio_id}/realised"
    constant = (await cleared.client.get(path)).json()

    run = run_for(portfolio_id, first=WEEK[-1], last=WEEK[-1])
    rates = (RiskFreeRate(day=WEEK[0], rate=0.04), RiskFreeRate(day=WEEK[2], rate=0.08))
    async with cleared.service.unit_of_work() as uow:
        event = priced(run, closes).model_copy(update={"risk_free_rates": rates})
        await store_prices(event, uow, fan_in=cleared.fan_in)
    quoted = (await cleared.client.get(path)).json()

    assert (constant["risk_free_source"], constant["risk_free_rate"]["value"]) == ("constant", pytest.approx(0.05))
    # Before Monday there is none; Tuesday and Wednesday earn at 1 % a quarter, Thursday and Friday at 2 %.
    assert quoted["risk_free_source"] == "DGS3MO"
    assert quoted["risk_free_rate"]["value"] == pytest.approx((0.0398013 + 0.0792105) / 2, abs=1e-6)
