"""What readiness needs of a session: its cells, the runs under way over it, and their dead letters with their names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.books import Book
from services.scheduler.core.cells import PORTFOLIO_FACTS, SYMBOL_FACTS, Grid, grid_of
from services.scheduler.core.ledger import missing_parts
from services.scheduler.core.readiness import KnownRun, SetAside, Situation
from services.scheduler.storage.book_repository import BookRepository, BookShelf
from services.scheduler.storage.cell_repository import CellRepository
from services.scheduler.storage.cell_shelf import CellShelf, Range
from services.scheduler.storage.repository import SchedulerRepository
from shared.calendar import sessions_between, shift_session
from shared.contracts.catalogue import EVENTS
from shared.contracts.run import Run
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.principal import CALLER

SESSIONS_BACK: Final = 30
MAX_LETTERS: Final = 100
_OPEN: Final = """
    FROM dead_letters d JOIN runs r USING (run_id)
    WHERE :as_of BETWEEN r.first_session AND r.last_session AND d.status NOT IN ('settled', 'dropped')
"""
_LETTERS = sa.text(
    f"""
    SELECT r.run, r.requested_at, d.topic, d.consumer, d.reason, d.detail, d.value {_OPEN}
    ORDER BY d.recorded_at DESC LIMIT :limit
    """
).columns(
    *map(sa.column, ("requested_at", "topic", "consumer", "reason", "detail", "value")),
    sa.column("run", JSONB),
)
_COUNT = sa.text(f"SELECT count(*) {_OPEN}")
_SEEN = sa.text("SELECT run_id FROM runs WHERE :as_of BETWEEN first_session AND last_session")


@dataclass(frozen=True, slots=True)
class ReadinessInputs:
    """The books that are looked at, what is known of the session, how many open dead letters of it the caller sees.

    `seen` are the runs over it that an owner sees; None: all.
    """

    books: tuple[Book, ...]
    situation: Situation
    letters: int
    seen: frozenset[UUID] | None


@dataclass(frozen=True, slots=True)
class Shelves:
    """What was last read of books and of cells."""

    books: BookShelf = field(default_factory=BookShelf)
    cells: CellShelf = field(default_factory=CellShelf)


async def load_readiness(unit_of_work: UnitOfWorkFactory, as_of: date, whose: Shelves | UUID) -> ReadinessInputs:
    """Return what is needed for one portfolio, or for all that the caller sees.

    Whether those are ready depends on runs that are over others too.
    """
    sessions = tuple(sessions_between(shift_session(as_of, 1 - SESSIONS_BACK), as_of))
    async with unit_of_work.reading() as connection:
        if isinstance(whose, Shelves):
            books = await whose.books.load_books(connection)
        else:
            books = await BookRepository(connection).load_books([whose])
        letters = int(await connection.scalar(_COUNT, {"as_of": as_of}) or 0)
        caller = CALLER.get()
        is_owner = caller is not None and not caller.sees_all
        seen = frozenset(await connection.scalars(_SEEN, {"as_of": as_of})) if is_owner else None
    async with unit_of_work.overseeing() as connection:
        if isinstance(whose, Shelves):
            of_portfolios = Range(sessions[0], as_of, PORTFOLIO_FACTS)
            grid = await whose.cells.load_grid(connection, of_portfolios, Range(as_of, as_of, SYMBOL_FACTS))
        else:
            grid = await _load_grid(CellRepository(connection), sessions, books)
        situation = await _load(connection, sessions, grid)
    return ReadinessInputs(tuple(books), situation, letters, seen)


async def _load(connection: AsyncConnection, sessions: tuple[date, ...], grid: Grid) -> Situation:
    as_of = sessions[-1]
    repository = SchedulerRepository(connection)
    active = await repository.list_active_runs(as_of, as_of)
    runs = []
    for stored in active:
        run_id = stored.run.run_id
        missing = missing_parts(await repository.load_tallies(run_id), await repository.load_arrived(run_id))
        runs.append(_known(stored.run, stored.requested_at, missing))
    rows = (await connection.execute(_LETTERS, {"as_of": as_of, "limit": MAX_LETTERS})).all()
    return Situation(
        as_of=as_of,
        sessions=sessions,
        grid=grid,
        runs=tuple(runs),
        letters=tuple(_set_aside(row) for row in rows),
    )


async def _load_grid(cells: CellRepository, sessions: Sequence[date], only: Sequence[Book]) -> Grid:
    first, as_of = sessions[0], sessions[-1]
    portfolio_ids = [book.portfolio_id for book in only]
    symbols = sorted({symbol for book in only for symbol in book.symbols_on(as_of)})
    of_portfolios = await cells.load_parts_of(portfolio_ids, first, as_of, PORTFOLIO_FACTS)
    return grid_of([*of_portfolios, *await cells.load_parts_of(symbols, as_of, as_of, SYMBOL_FACTS)])


def _known(run: Run, asked_at: datetime, missing: tuple[str, ...] = ()) -> KnownRun:
    return KnownRun(
        run_id=run.run_id,
        kind=run.kind.value,
        asked_at=asked_at,
        symbols=None if run.symbols is None else frozenset(run.symbols),
        portfolio_ids=None if run.portfolio_ids is None else frozenset(map(str, run.portfolio_ids)),
        missing=missing,
    )


def _set_aside(row: Any) -> SetAside:
    run = _known(Run.model_validate(row.run), row.requested_at)
    return SetAside(run, row.topic, row.consumer, row.reason, row.detail, named_in(row.topic, row.value))


def named_in(topic: str, value: bytes) -> frozenset[str] | None:
    """Return the symbols and portfolios that the message of a dead letter names.

    None where it names nobody, or cannot be read: it may concern everybody of its run.
    """
    event_type = EVENTS.get(topic)
    if event_type is None:
        return None
    try:
        event = event_type.model_validate_json(value)
    except ValidationError:
        return None
    # A shard that is due says whose it is by its fields.
    due = [*getattr(event, "symbols", ()), *map(str, getattr(event, "portfolio_ids", ()))]
    return frozenset([*event.subject_names(), *due]) or None
