"""When the prices of a run are in: the portfolios, cut into shards of the same sessions."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.portfolio.storage.repository import PortfolioRepository, Progress
from shared.bus.fan_in import ArrivedPart, failures_of
from shared.calendar import next_session, sessions_between
from shared.contracts.portfolio import PortfolioDue, PortfoliosValued
from shared.contracts.run import ONLY_PART, Part, Run
from shared.db.unit_of_work import UnitOfWork

SHARD_POSITIONS = 10_000  # at one session
SHARD_CELLS = 30_000  # positions x sessions: some seconds of work, 50 MiB while they last, and 2 MB of event at most
SHARD_PORTFOLIOS = 100  # risk takes 27 ms a part and session, and 3 ms for each portfolio of it
LONG_SHARD_PORTFOLIOS = 50  # of several sessions: parts of one portfolio wait for one another
PART_SESSIONS = 250


@dataclass(frozen=True, slots=True)
class Shard:
    """Portfolios that are due the same sessions, and how many sessions of them one part is."""

    sessions: Sequence[date]
    portfolio_ids: tuple[UUID, ...]
    length: int

    @property
    def parts(self) -> int:
        """Return in how many parts they are valued, one after the other."""
        return -(-len(self.sessions) // self.length)


async def fan_out_portfolios(run: Run, parts: Sequence[ArrivedPart], uow: UnitOfWork) -> None:
    """Hand out the portfolios of the run; without any, say so, so that the run can end."""
    repository = PortfolioRepository(uow.connection)
    seen_below = await repository.load_horizon()
    # Where the parts that name them have not come, nobody knows which.
    progress = await repository.load_progress(() if "portfolio_ids" in run.unsaid else run.portfolio_ids)
    shards = pack_portfolios([entry for entry in progress if entry.opened_on <= run.last_session], run)
    run = run.leaving_unsaid("symbols", "portfolio_ids")
    if not shards:
        uow.emit(PortfoliosValued(run=run, part=ONLY_PART, failures=failures_of(parts)))
        return
    total, index = sum(shard.parts for shard in shards), 0
    for shard in shards:
        uow.emit(
            PortfolioDue(
                run=run,
                part=Part(index=index, total=total),
                subjects=len(shard.portfolio_ids),
                failures=failures_of(parts) if index == 0 else (),
                portfolio_ids=shard.portfolio_ids,
                first_session=shard.sessions[0],
                last_session=shard.sessions[: shard.length][-1],
                until=shard.sessions[-1] if shard.parts > 1 else None,
                prices_seen_below=seen_below,
            )
        )
        index += shard.parts


def sessions_due(progress: Progress, run: Run) -> tuple[date, date]:
    """Return the first and last session to value.

    From the session after the last snapshot, so that a skipped night heals itself; from the run's own first session
    where that is earlier; and from the first session whose prices came or changed after the last snapshot was taken.
    To the last snapshot at least: what follows a corrected session changes with it. Never after a portfolio was closed:
    then the first may come after the last, and nothing is due.
    """
    candidates = [run.first_session]
    if progress.last_snapshot is not None:
        candidates.append(next_session(progress.last_snapshot))
    else:
        candidates.append(progress.opened_on)
    if progress.first_changed is not None:
        candidates.append(progress.first_changed)
    last = min(max(run.last_session, progress.last_snapshot or date.min), progress.closed_on or date.max)
    return max(min(candidates), progress.opened_on), last


def pack_portfolios(portfolios: Sequence[Progress], run: Run) -> list[Shard]:
    """Group portfolios by the sessions that they are due, in shards of bounded work."""
    due: dict[tuple[date, date], list[Progress]] = defaultdict(list)
    for entry in portfolios:
        due[sessions_due(entry, run)].append(entry)
    shards: list[Shard] = []
    for sessions, entries in sorted(due.items()):
        days = sessions_between(*sessions)
        if days:
            shards += _packed(days, entries)
    return shards


def _packed(days: Sequence[date], entries: Sequence[Progress]) -> Iterator[Shard]:
    """Yield shards of which one session at least is bounded work."""
    most = SHARD_PORTFOLIOS if len(days) == 1 else LONG_SHARD_PORTFOLIOS
    shard: list[UUID] = []
    positions = 0
    for entry in entries:
        more = max(entry.positions, 1)
        if shard and (positions + more > SHARD_POSITIONS or len(shard) == most):
            yield _shard(days, shard, positions)
            shard, positions = [], 0
        shard.append(entry.portfolio_id)
        positions += more
    yield _shard(days, shard, positions)


def _shard(days: Sequence[date], portfolio_ids: Sequence[UUID], positions: int) -> Shard:
    most = max(1, min(len(days), SHARD_CELLS // positions, PART_SESSIONS))
    # Parts of one length: a last one of a session costs as much as one of ten.
    parts = -(-len(days) // most)
    return Shard(days, tuple(portfolio_ids), length=-(-len(days) // parts))
