"""Why a run could not serve what it could not, by cause."""

from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.commands.errors import UnknownRun
from services.scheduler.core.books import Book
from services.scheduler.core.causes import Cause, Failed, causes_of
from services.scheduler.storage.book_repository import BookRepository
from services.scheduler.storage.repository import SchedulerRepository
from shared.contracts.run import Run


@dataclass(frozen=True, slots=True)
class FoundCauses:
    """The causes of a run's failures, and the names of the portfolios by their ids."""

    causes: list[Cause]
    names: dict[str, str | None]


async def find_causes(run_id: UUID, connection: AsyncConnection) -> FoundCauses:
    """Group the failures of a run by cause.

    Raises
    ------
    UnknownRun
        If there is no such run.
    """
    repository = SchedulerRepository(connection)
    stored = await repository.find_run(run_id)
    if stored is None:
        raise UnknownRun(run_id)
    failures = await repository.load_failures(run_id)
    books = await BookRepository(connection).load_books() if failures else []
    failed = [Failed(stage, each.subject, str(each.reason), each.detail) for stage, each in failures]
    return FoundCauses(causes_of(failed, _holders(books, stored.run)), {book.portfolio_id: book.name for book in books})


def _holders(books: list[Book], run: Run) -> dict[str, set[str]]:
    holders: dict[str, set[str]] = defaultdict(set)
    for book in books:
        for subject in (book.portfolio_id, *book.symbols_between(run.first_session, run.last_session)):
            holders[subject].add(book.portfolio_id)
    return holders
