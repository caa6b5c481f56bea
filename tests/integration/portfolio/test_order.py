"""The newest snapshot of a portfolio is that of the newest prices, whoever valued it last."""

from decimal import Decimal
from typing import Literal
from uuid import UUID

import pytest

from services.portfolio.handlers.value_portfolios import value_portfolios
from shared.contracts.portfolio import PortfolioDue
from shared.contracts.run import ONLY_PART
from shared.prices.panel import PricePanel
from shared.prices.store import store_bars
from tests.integration.portfolio.conftest import WEEK, Books, new_name, priced, run_for
from tests.support.interleaving import ORDERS, Order, interleave

FRIDAY = WEEK[-1]


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
@pytest.mark.parametrize("known", [False, True], ids=["first", "revised"])
async def test_old_and_new_valuation_in_any_order_leave_the_value_of_the_new_prices(
    books: Books, order: Order, known: bool
) -> None:
    symbol = new_name()
    ids = [(await books.open((symbol, "10", WEEK[0], "100")))["portfolio_id"] for _ in range(2)]

    async def store(close: float) -> None:
        closes = {symbol: dict.fromkeys(WEEK, 100.0) | {FRIDAY: close}}
        async with books.service.unit_of_work() as uow:
            await store_bars(uow.connection, priced(run_for(ids[0], first=FRIDAY, last=FRIDAY), closes))

    def due(*portfolio_ids: str) -> PortfolioDue:
        return PortfolioDue(
            run=run_for(ids[0], first=FRIDAY, last=FRIDAY),
            part=ONLY_PART,
            portfolio_ids=tuple(map(UUID, portfolio_ids)),
            first_session=WEEK[0],
            last_session=FRIDAY,
            prices_seen_below=0,
        )

    async def compute(who: Literal["old", "new"], panel: PricePanel) -> None:
        async with books.service.unit_of_work() as uow:
            await value_portfolios(due(*ids[: 1 if who == "old" else 2]), uow, panel=panel, shelf=books.shelf)

    async def correct() -> None:
        await store(130.0)

    await store(110.0)
    if known:
        await books.deliver(due(ids[0]))
    await store(120.0)
    await interleave(order, books.service.engine, compute=compute, correct=correct)

    assert [(await books.figures(entry, "equity"))[-1] for entry in ids] == [Decimal("10300.00")] * 2
