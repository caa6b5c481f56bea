"""Books opened long ago: valued in bounded parts, one after the other, and all of them told of when one fails."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from services.portfolio.events import report_failed_valuation
from services.portfolio.fan_out import PART_SESSIONS
from shared.calendar import sessions_between, shift_session
from shared.contracts.event import Failure
from shared.contracts.portfolio import PortfoliosValued
from shared.unavailable import Reason
from tests.integration.portfolio.conftest import WEEK, Books, new_name

OPENED = date(2022, 1, 3)
SESSIONS = sessions_between(OPENED, WEEK[-1])
# One more each session, from 100 at the close before the first.
CLOSES = {day: 100.0 + place for place, day in enumerate([shift_session(OPENED, -1), *SESSIONS])}
PARTS = -(-len(SESSIONS) // PART_SESSIONS)


async def test_book_of_years_is_valued_in_parts_that_go_on_from_one_another(books: Books) -> None:
    symbol = new_name()
    accepted = await books.open((symbol, "10", date(2021, 12, 31), "100.00"), opened_on=str(OPENED))

    valued = await books.value(await books.request(accepted["run_id"]), {symbol: CLOSES})

    assert PARTS == 4
    assert [(entry.part.index, entry.part.total) for entry in valued] == [(index, PARTS) for index in range(PARTS)]
    assert [len(entry.snapshots) for entry in valued] == [201, 201, 201, len(SESSIONS) - 603]
    told = [(snapshot.as_of, snapshot.equity) for entry in valued for snapshot in entry.snapshots]
    assert told == [(day, Decimal(10_000 + 10 * place)) for place, day in enumerate(SESSIONS, start=1)]
    # The book is told of on the run's own session only.
    assert [book.as_of for entry in valued for book in entry.books] == [WEEK[-1]]


async def test_portfolio_that_cannot_be_valued_is_left_out_of_the_parts_that_follow(books: Books) -> None:
    symbol, huge = new_name(), new_name()
    good = await books.open((symbol, "10", date(2021, 12, 31), "100.00"), opened_on=str(OPENED))
    broken = await books.open((huge, "500000000000", OPENED, "1"), opened_on=str(OPENED))
    both = UUID(good["portfolio_id"]), UUID(broken["portfolio_id"])
    run = (await books.request(broken["run_id"])).model_copy(update={"portfolio_ids": both})

    valued = await books.value(run, {symbol: CLOSES, huge: dict.fromkeys(SESSIONS[10:], 1_000_000.0)})

    assert len(valued) == PARTS
    assert [failure.subject for entry in valued for failure in entry.failures] == [broken["portfolio_id"]]
    assert await books.count("snapshots", broken["portfolio_id"]) == 0
    assert await books.count("snapshots", good["portfolio_id"]) == len(SESSIONS)


async def test_every_part_is_told_of_when_the_first_fails(books: Books) -> None:
    symbol = new_name()
    accepted = await books.open((symbol, "10", date(2021, 12, 31), "100.00"), opened_on=str(OPENED))
    run = await books.request(accepted["run_id"])
    (due,) = await books.prepare(run, {symbol: CLOSES})
    failure = Failure(subject="", reason=Reason.MISSING_DATA, detail="worn out")

    async with books.service.unit_of_work() as uow:
        await report_failed_valuation(due, failure, uow)

    told = await books.announced(PortfoliosValued, run.run_id)
    assert [entry.part.index for entry in told] == list(range(PARTS))
    assert [len(entry.failures) for entry in told] == [1, 0, 0, 0]
