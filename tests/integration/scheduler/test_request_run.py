"""Which runs people get: over what their portfolios hold, once, and not beside another of the same cells."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
import sqlalchemy as sa

from services.market_data.core.run_plan import SettledSessions, pack_shards, plan_symbols
from services.market_data.core.window import planning_window
from services.scheduler.commands.errors import (
    OtherRunUnderWay,
    Refused,
    UnknownPortfolios,
    UnusableSession,
)
from services.scheduler.commands.open_run import RunRequest
from services.scheduler.commands.request_run import request_run
from services.scheduler.core.books import Book, Holding
from services.scheduler.settings import SchedulerSettings
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.repository import SchedulerRepository, scope_of
from shared.contracts.run import Run, RunKind
from shared.contracts.scheduler import RunStatus
from shared.db.keyed_requests import IdempotencyKeyReused
from shared.service import Service
from tests.support.eventually import eventually
from tests.support.runs import make_run

TODAY, THURSDAY, WEDNESDAY, MONDAY = (date(2025, 3, day) for day in (14, 13, 12, 10))
MINE, YOURS, LATE = (UUID(int=index) for index in range(3))
BOOKS = [
    Book(
        str(MINE),
        "mine",
        MONDAY,
        (
            Holding("AAPL", MONDAY, None),
            Holding("SOLD", MONDAY, WEDNESDAY),
            Holding("AAPL250620C00200000", THURSDAY, None, contract=True),
        ),
    ),
    Book(str(YOURS), "yours", MONDAY, (Holding("AAPL", MONDAY, None), Holding("MSFT", MONDAY, None))),
    Book(str(LATE), "late", TODAY, (Holding("MSFT", TODAY, None),)),
]


@pytest.fixture(autouse=True)
async def _only_books(scheduler: Service) -> AsyncIterator[None]:
    async with scheduler.unit_of_work() as uow:
        await BookRepository(uow.connection).store_books(BOOKS)
    yield
    async with scheduler.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE runs, run_parts, outbox, books, keyed_requests"))


def _request(*portfolio_ids: UUID, kind: RunKind = RunKind.ON_DEMAND, **fields: Any) -> RunRequest:
    nothing = dict.fromkeys(("first_session", "last_session", "symbols"))
    return RunRequest(
        **{"kind": kind, "requested_by": "test", "portfolio_ids": portfolio_ids or None, **nothing, **fields}
    )


async def _ask(scheduler: Service, request: RunRequest, *, key: str | None = None) -> tuple[Run, bool]:
    async with scheduler.unit_of_work() as uow:
        run_id, is_new = await request_run(request, uow, newest=TODAY, settings=SchedulerSettings(), key=key)
        stored = await SchedulerRepository(uow.connection).find_run(run_id)
    assert stored is not None
    return stored.run, is_new


async def _begin(scheduler: Service, run: Run) -> Run:
    """Make a run active that nobody has asked for this way."""
    async with scheduler.unit_of_work() as uow:
        await SchedulerRepository(uow.connection).store_run(run, scope=scope_of(run))
    return run


async def _count(scheduler: Service, table: str) -> int:
    async with scheduler.unit_of_work.reading() as connection:
        return int(await connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0)


@pytest.mark.parametrize(
    ("first", "symbols"),
    [(None, ("AAPL", "AAPL250620C00200000", "MSFT")), (WEDNESDAY, ("AAPL", "AAPL250620C00200000", "MSFT", "SOLD"))],
)
async def test_portfolios_are_computed_over_what_they_hold_in_the_sessions(
    scheduler: Service, first: date | None, symbols: tuple[str, ...]
) -> None:
    run, _ = await _ask(scheduler, _request(MINE, YOURS, first_session=first))
    assert (run.symbols, run.portfolio_ids) == (symbols, (MINE, YOURS))


async def test_symbols_that_are_named_stay_as_they_are(scheduler: Service) -> None:
    run, _ = await _ask(scheduler, _request(MINE, symbols=("SPY",)))
    assert run.symbols == ("SPY",)


def _parts(symbols: tuple[str, ...], run: Run) -> int:
    """Return in how many parts market data hands out these symbols when it has nothing of them."""
    window = planning_window(run.first_session, run.last_session)
    nothing = np.zeros((len(symbols), len(window)), dtype=bool)
    plan = plan_symbols(symbols, window, nothing, SettledSessions.never(len(symbols)))
    return len(pack_shards(plan, run.first_session))


async def test_ten_portfolios_over_a_year_cost_what_their_symbols_cost(scheduler: Service) -> None:
    watched = tuple(f"S{index:04}" for index in range(2_000))
    opened = date(2024, 3, 14)
    books = [
        Book(str(uuid4()), None, opened, tuple(Holding(symbol, opened, None) for symbol in watched[at : at + 50]))
        for at in range(0, 250, 25)
    ]
    async with scheduler.unit_of_work() as uow:
        await BookRepository(uow.connection).store_books(books)

    run, _ = await _ask(scheduler, _request(*(UUID(book.portfolio_id) for book in books), first_session=opened))

    assert run.symbols == watched[:275]
    assert (_parts(watched, run), _parts(run.symbols, run)) == (80, 11)


async def test_portfolios_that_nobody_knows_are_refused_by_their_ids(scheduler: Service) -> None:
    unknown = uuid4(), uuid4()
    with pytest.raises(UnknownPortfolios) as refused:
        await _ask(scheduler, _request(unknown[0], MINE, unknown[1]))
    assert refused.value.portfolio_ids == unknown
    assert (await _count(scheduler, "runs"), await _count(scheduler, "outbox")) == (0, 0)


async def test_session_after_a_portfolio_was_closed_is_refused(scheduler: Service) -> None:
    async with scheduler.unit_of_work() as uow:
        closed = replace(BOOKS[0], closed_on=WEDNESDAY)
        await BookRepository(uow.connection).store_books([closed])
        assert (await BookRepository(uow.connection).load_books([MINE])) == [closed]

    with pytest.raises(UnusableSession, match=f"{WEDNESDAY}, the last session of portfolio {MINE}"):
        await _ask(scheduler, _request(MINE, first_session=THURSDAY))
    assert (await _ask(scheduler, _request(MINE, first_session=MONDAY, last_session=WEDNESDAY)))[1]


async def test_session_before_a_portfolio_was_opened_is_refused(scheduler: Service) -> None:
    with pytest.raises(UnusableSession, match=f"{TODAY}, the first session of portfolio {LATE}"):
        await _ask(scheduler, _request(MINE, LATE, last_session=THURSDAY))


@pytest.mark.parametrize(
    "same",
    [
        _request(MINE, first_session=THURSDAY),
        _request(MINE),
        _request(MINE, first_session=THURSDAY, last_session=TODAY, requested_by="somebody else"),
        _request(MINE, first_session=THURSDAY, symbols=("AAPL", "AAPL250620C00200000")),
    ],
)
async def test_same_request_joins_the_run_under_way(scheduler: Service, same: RunRequest) -> None:
    run, _ = await _ask(scheduler, _request(MINE, first_session=THURSDAY))
    assert await _ask(scheduler, same) == (run, False)
    assert await _count(scheduler, "outbox") == 1


async def test_run_that_a_portfolio_has_asked_for_itself_is_joined_or_in_the_way(scheduler: Service) -> None:
    own = make_run(symbols=("AAPL", "AAPL250620C00200000"), portfolio_ids=(MINE,))
    async with scheduler.unit_of_work() as uow:
        repository = SchedulerRepository(uow.connection)
        await repository.store_run(own, scope=f"{scope_of(own)} run={own.run_id}")

    assert await _ask(scheduler, _request(MINE)) == (own, False)
    with pytest.raises(OtherRunUnderWay):
        await _ask(scheduler, _request(MINE, YOURS))


@pytest.mark.parametrize(
    "other",
    [
        _request(MINE, first_session=WEDNESDAY),
        _request(MINE, last_session=THURSDAY),
        _request(MINE, YOURS),
        _request(MINE, symbols=("SPY",)),
        _request(symbols=("SPY",)),
        _request(),
    ],
    ids=["longer", "shorter", "more portfolios", "other symbols", "every portfolio", "everything"],
)
async def test_another_request_for_some_of_the_same_cells_is_refused_with_the_run(
    scheduler: Service, other: RunRequest
) -> None:
    run, _ = await _ask(scheduler, _request(MINE, first_session=THURSDAY))
    with pytest.raises(OtherRunUnderWay) as refused:
        await _ask(scheduler, other)
    assert refused.value.run == run

    async with scheduler.unit_of_work() as uow:
        await SchedulerRepository(uow.connection).finish_run(run.run_id, RunStatus.COMPLETED)
    assert (await _ask(scheduler, other))[1]


@pytest.mark.parametrize(
    "beside",
    [
        _request(YOURS, first_session=THURSDAY),
        _request(MINE, first_session=MONDAY, last_session=WEDNESDAY),
        _request(MINE, kind=RunKind.CORRECTION),
        _request(kind=RunKind.NIGHTLY),
        _request(kind=RunKind.BACKFILL),
    ],
    ids=["same symbols", "other sessions", "another kind", "a night", "a backfill"],
)
async def test_request_for_other_cells_or_of_another_kind_runs_beside(scheduler: Service, beside: RunRequest) -> None:
    await _ask(scheduler, _request(MINE, first_session=THURSDAY))
    assert (await _ask(scheduler, beside))[1]


async def test_symbols_alone_are_in_the_way_of_the_same_symbols_only(scheduler: Service) -> None:
    alone = await _begin(scheduler, make_run(symbols=("AAPL",), portfolio_ids=()))
    with pytest.raises(OtherRunUnderWay) as refused:
        await _ask(scheduler, _request(MINE))
    assert refused.value.run == alone
    assert (await _ask(scheduler, _request(LATE)))[1]


@pytest.mark.parametrize("kind", [RunKind.NIGHTLY, RunKind.BACKFILL])
async def test_night_and_backfill_are_in_nobodys_way(scheduler: Service, kind: RunKind) -> None:
    await _begin(scheduler, make_run(kind=kind))
    assert (await _ask(scheduler, _request(MINE)))[1]


async def test_request_waits_for_one_that_is_being_opened_and_sees_it_then(scheduler: Service) -> None:
    async def waits_or_is_answered() -> bool:
        async with scheduler.unit_of_work.reading() as connection:
            waiting = await connection.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        return bool(waiting) or other.done()

    async with scheduler.unit_of_work() as uow:
        run_id, _ = await request_run(_request(MINE), uow, newest=TODAY, settings=SchedulerSettings())
        other = asyncio.create_task(_ask(scheduler, _request(MINE, YOURS)))
        await eventually(waits_or_is_answered)
    with pytest.raises(OtherRunUnderWay) as refused:
        await other
    assert refused.value.run.run_id == run_id


async def test_of_twenty_requests_at_once_one_opens_and_the_others_join_or_are_refused(scheduler: Service) -> None:
    requests = [_request(MINE), _request(MINE, YOURS)] * 10
    outcomes = await asyncio.gather(*(_ask(scheduler, each) for each in requests), return_exceptions=True)

    assert await _count(scheduler, "runs") == await _count(scheduler, "outbox") == 1
    assert sum(isinstance(outcome, OtherRunUnderWay) for outcome in outcomes) == 10
    assert sum(not isinstance(outcome, Refused) for outcome in outcomes) == 10


async def test_request_with_a_known_key_is_answered_as_before_whatever_has_happened(scheduler: Service) -> None:
    request = _request(MINE)
    run, _ = await _ask(scheduler, request, key="k")
    async with scheduler.unit_of_work() as uow:
        await SchedulerRepository(uow.connection).finish_run(run.run_id, RunStatus.FAILED)

    assert await _ask(scheduler, request, key="k") == (run, False)
    assert (await _ask(scheduler, request, key="another"))[1]
    with pytest.raises(IdempotencyKeyReused, match=str(run.run_id)):
        await _ask(scheduler, _request(YOURS), key="k")


async def test_of_ten_requests_at_once_with_one_key_one_opens_a_run(scheduler: Service) -> None:
    outcomes = await asyncio.gather(*(_ask(scheduler, _request(kind=RunKind.NIGHTLY), key="k") for _ in range(10)))
    assert len({run.run_id for run, _ in outcomes}) == sum(is_new for _, is_new in outcomes) == 1
