"""Rates that come with prices are what the ratios of a book are over; without any it is the constant."""

from collections.abc import AsyncIterator
from datetime import date
from math import exp, log, sqrt

import pytest
import sqlalchemy as sa
from scipy.stats import norm

from services.portfolio.handlers.store_prices import store_prices
from services.portfolio.storage.rate_repository import RateRepository
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


async def test_option_is_valued_at_the_rate_of_the_day_before_and_risk_is_told(cleared: Books) -> None:
    name, underlying, expires = new_name(), new_name(), date(2025, 9, 19)
    option = {"underlying": underlying, "strike": "100", "expiration": str(expires)}
    position = {"symbol": name, "kind": "LC", "quantity": "2", "entry_date": str(WEEK[0]), "entry_price": "3"}
    entered = await cleared.open(positions=[{**position, "option": option}])
    run = await cleared.request(entered["run_id"])
    # A year of 12 % is 3 % a quarter; on Friday Thursday's counts, and not its own.
    rate, years, volatility = 4 * log(1.03), (expires - WEEK[-1]).days / 365, 0.3
    spread = volatility * sqrt(years)
    d1 = (log(106 / 100) + rate * years) / spread + spread / 2
    price = 106 * norm.cdf(d1) - 100 * exp(-rate * years) * norm.cdf(d1 - spread)
    closes = {underlying: dict.fromkeys(WEEK, 106.0), name: {WEEK[-1]: float(price)}}
    async with cleared.service.unit_of_work() as uow:
        rates = {WEEK[-2]: 0.12, WEEK[-1]: 0.5}
        await RateRepository(uow.connection).store_rates(rates)

    (valued,) = await cleared.value(run, closes)

    (held,) = valued.books[-1].options
    assert held.rate == pytest.approx(rate, rel=1e-14)
    assert held.volatility == pytest.approx(volatility, rel=1e-9)
    assert valued.books[-1].exposures[0] == pytest.approx(norm.cdf(d1) * 2 * 100 * 106, abs=0.005)
