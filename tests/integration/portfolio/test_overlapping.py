"""Runs that begin before those over the sessions before have ended: each portfolio goes on from where it is itself."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from shared.contracts.portfolio import PortfolioDue
from shared.contracts.run import Run
from tests.integration.portfolio.conftest import WEEK, Books, new_name
from tests.support.runs import make_run

MONDAY, TUESDAY, WEDNESDAY = WEEK[:3]


async def test_portfolio_that_is_behind_the_others_is_rolled_over_what_it_lacks_and_they_are_not(books: Books) -> None:
    symbol = new_name()
    ahead, behind = [(await books.open((symbol, "10", MONDAY, "100")))["portfolio_id"] for _ in range(2)]
    closes = {symbol: {MONDAY: 100.0, TUESDAY: 110.0, WEDNESDAY: 125.0}}
    await books.value(_run([ahead, behind], MONDAY), closes)
    # Of the night of Tuesday one part has ended and the other one waits.
    await books.value(_run([ahead], TUESDAY), closes)
    (late,) = await books.prepare(_run([behind], TUESDAY), closes)

    due = await books.prepare(_run([ahead, behind], WEDNESDAY), closes)
    assert _sessions(due) == {ahead: (WEDNESDAY, WEDNESDAY), behind: (TUESDAY, WEDNESDAY)}
    for shard in due:
        await books.deliver(shard)
    await books.deliver(late)

    for portfolio_id in (ahead, behind):
        assert (await books.figures(portfolio_id, "equity"))[:3] == [Decimal(10_000 + add) for add in (0, 100, 250)]
        assert await books.count("snapshots", portfolio_id) == 3, "what was valued again is as it was"


def _run(portfolio_ids: Sequence[str], session: date) -> Run:
    ids = tuple(map(UUID, portfolio_ids))
    return make_run(first_session=session, last_session=session, portfolio_ids=ids, symbols=())


def _sessions(due: Sequence[PortfolioDue]) -> dict[str, tuple[date, date]]:
    return {
        str(portfolio_id): (shard.first_session, shard.last_session)
        for shard in due
        for portfolio_id in shard.portfolio_ids
    }
