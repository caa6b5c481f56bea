"""Fan-in: when every part of a run has arrived, the last one starts the next stage, once, in its own transaction.

A run that goes on from another (`Run.after`) starts it when that one's parts are in as well.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.bus.forerunner import lock_forerunner, lock_going_on, may_go_on, wait_for_forerunner
from shared.contracts.event import Event, Failure
from shared.contracts.run import Run
from shared.contracts.scheduler import BatchTriggered
from shared.db.unit_of_work import UnitOfWork
from shared.errors import ContradictingTotal
from shared.parts import missing_of

Sessions = tuple[date, date]

# Some 750 kB.
MAX_PASSED_ON: Final = 5_000

# The counter is bumped under the row's lock, so of two parts that arrive together the second sees the first. Of the
# parts of a run only the first names its portfolios, whenever it comes.
_BUMP = sa.text(
    """
    INSERT INTO fan_in AS f (stage, run_id, run, arrived, totals, deadline_at)
    VALUES (:name, :run_id, CAST(:run AS jsonb), :counted, CAST(:totals AS jsonb),
            clock_timestamp() + make_interval(secs => :deadline_s))
    ON CONFLICT (stage, run_id) DO UPDATE SET arrived = f.arrived + :counted, totals = excluded.totals || f.totals,
        run = CASE WHEN excluded.run -> 'unsaid' ? 'portfolio_ids' AND f.run <> 'null' THEN f.run ELSE excluded.run END,
        deadline_at = least(f.deadline_at, excluded.deadline_at)
    RETURNING arrived, totals, fired_at IS NOT NULL AS fired
    """
).columns(sa.column("arrived"), sa.column("totals", JSONB), sa.column("fired"))
# Asked for when the barrier fires, not with every part: it may name very many portfolios.
_RUN = sa.text("SELECT run FROM fan_in WHERE stage = :name AND run_id = :run_id").columns(sa.column("run", JSONB))
_INSERT_PART = sa.text(
    """
    INSERT INTO fan_in_part
        (stage, run_id, stream, part_index, part_total, subjects, failures, first_session, last_session)
    VALUES (:name, :run_id, :stream, :index, :total, CAST(:subjects AS jsonb), CAST(:failures AS jsonb),
            :first_session, :last_session)
    ON CONFLICT DO NOTHING RETURNING part_index
    """
)
_FIRE = sa.text("UPDATE fan_in SET fired_at = clock_timestamp() WHERE stage = :name AND run_id = :run_id")
_PARTS = sa.text(
    """
    SELECT stream, part_index, part_total, subjects, failures, first_session, last_session FROM fan_in_part
    WHERE stage = :name AND run_id = :run_id ORDER BY stream, part_index
    """
).columns(
    sa.column("failures", JSONB),
    sa.column("stream"),
    sa.column("part_index"),
    sa.column("part_total"),
    sa.column("subjects", JSONB),
    sa.column("first_session"),
    sa.column("last_session"),
)
_EXTEND = sa.text(
    """
    UPDATE fan_in SET deadline_at = greatest(deadline_at, clock_timestamp() + make_interval(secs => :deadline_s))
    WHERE (stage, run_id) IN (
        SELECT stage, run_id FROM fan_in WHERE stage = :name AND fired_at IS NULL FOR UPDATE SKIP LOCKED)
    """
)
_OVERDUE = sa.text(
    """
    SELECT run_id, run FROM fan_in
    WHERE stage = :name AND fired_at IS NULL AND deadline_at < clock_timestamp()
    ORDER BY run_id FOR UPDATE SKIP LOCKED
    """
).columns(sa.column("run_id"), sa.column("run", JSONB))


@dataclass(frozen=True, slots=True)
class ArrivedPart:
    """A part and the symbols or portfolios it speaks of; with failures, if it could not be stored or never came.

    One that was held has the first and the last session that it is about.
    """

    stream: str
    index: int
    total: int
    subjects: tuple[str, ...]
    failures: tuple[Failure, ...] = ()
    sessions: Sessions | None = None


class _State(NamedTuple):
    """How a barrier stands for a run."""

    arrived: int
    totals: dict[str, int]
    fired: bool


FanOut = Callable[[Run, Sequence[ArrivedPart], UnitOfWork], Awaitable[None]]


def failures_of(parts: Sequence[ArrivedPart]) -> tuple[Failure, ...]:
    """Return what is to be passed on with the next stage, so that nobody calls the run clean.

    Once, though several streams tell it, and no more than one event holds beside its own numbers.
    """
    told = tuple(dict.fromkeys(failure for part in parts for failure in part.failures))
    if len(told) <= MAX_PASSED_ON:
        return told
    more = len(told) - MAX_PASSED_ON
    return (*told[:MAX_PASSED_ON], Failure(subject=f"{more} more", reason="MORE", detail="are told where they failed"))


@dataclass(frozen=True, slots=True)
class FanIn:
    """The barrier in front of the work of a service.

    Parameters
    ----------
    name : str
        Unique in the service; the column `stage` of both tables.
    streams : tuple of str
        Topics whose every part must be in; each part says how many there are.
    fan_out : coroutine function
        Called once with the run and all that arrived, in the transaction of the last part.
    deadline_s : float
        Seconds after the first arrival when the barrier closes without the missing parts.
    """

    name: str
    streams: tuple[str, ...]
    fan_out: FanOut
    deadline_s: float = 900.0

    async def arrive(
        self, event: Event, subjects: Sequence[str], uow: UnitOfWork, *, failures: Sequence[Failure] = ()
    ) -> None:
        """Count a part; the one that completes the barrier fans out. Call it last: it locks the barrier's row.

        Raises
        ------
        ContradictingTotal
            If an earlier part of the stream has said that there are more, or fewer.
        """
        if not await self._record(event, subjects, uow.connection, failures):
            return
        state = await self._bump(event, uow.connection, counted=1)
        if state.totals[event.topic] != event.part.total and not state.fired:
            raise ContradictingTotal(event.topic, event.part.total, said_before=state.totals[event.topic])
        complete = set(state.totals) >= set(self.streams) and state.arrived == sum(state.totals.values())
        if complete and not state.fired:
            await self._fire_or_wait(await self._run_of(event, uow), uow)
        await self._fire_waiting(event.run, uow)

    async def arrive_failed(self, event: Event, failure: Failure, uow: UnitOfWork) -> None:
        """Count a part that could not be stored, so that the barrier closes; the failure goes on with the fan-out.

        Where the parts of a stream say different totals, nobody knows when all of them are in: the barrier fires with
        what has arrived. Fits `on_failure` of `shared.bus.consume.Consume`.
        """
        if failure.reason != ContradictingTotal.__name__:
            await self.arrive(event, event.subject_names(), uow, failures=(failure,))
            return
        state = await self._bump(event, uow.connection, counted=0)
        if not state.fired:
            contradicted = ArrivedPart(event.topic, event.part.index, event.part.total, (), (failure,))
            await self._fire(await self._run_of(event, uow), uow, unmet=(contradicted,))
            await self._fire_waiting(event.run, uow)

    async def hold(self, event: Event, subjects: Sequence[str], uow: UnitOfWork, *, sessions: Sessions | None) -> bool:
        """Keep a part until the barrier fires; True if it has fired already and the caller may go on at once."""
        await self._record(event, subjects, uow.connection, (), sessions=sessions)
        return (await self._bump(event, uow.connection, counted=0)).fired

    async def failures(self, run: Run, uow: UnitOfWork) -> tuple[Failure, ...]:
        """Return what a run lacks of the streams, for a part that comes when the barrier has fired."""
        parts = await self._load_parts(run, uow)
        return failures_of([*parts, *self._missing(parts)])

    async def close_overdue(self, uow: UnitOfWork) -> tuple[Run, ...]:
        """Fire the barriers whose deadline has passed with what has arrived; return their runs."""
        overdue = (await uow.connection.execute(_OVERDUE, {"name": self.name})).all()
        runs = tuple(Run.model_validate(row.run) for row in overdue)
        for run in runs:
            await self._fire(run, uow, unmet=await self._unmet(run, uow))
            await self._fire_waiting(run, uow)
        return runs

    async def extend_deadlines(self, uow: UnitOfWork) -> None:
        """Give open barriers their whole time again: nothing could arrive while the service was down."""
        await uow.connection.execute(_EXTEND, {"name": self.name, "deadline_s": self.deadline_s})

    async def _record(
        self,
        event: Event,
        subjects: Sequence[str],
        connection: AsyncConnection,
        failures: Sequence[Failure],
        *,
        sessions: Sessions | None = None,
    ) -> bool:
        first, last = sessions or (None, None)
        parameters = {
            "name": self.name,
            "run_id": event.run.run_id,
            "stream": event.topic,
            "index": event.part.index,
            "total": event.part.total,
            "subjects": json.dumps(list(subjects)),
            "failures": json.dumps([failure.model_dump(mode="json") for failure in failures]),
            "first_session": first,
            "last_session": last,
        }
        return await connection.scalar(_INSERT_PART, parameters) is not None

    async def _bump(self, event: Event, connection: AsyncConnection, *, counted: int) -> _State:
        parameters: dict[str, Any] = {
            "name": self.name,
            "run_id": event.run.run_id,
            "run": event.run.model_dump_json(),
            "counted": counted,
            "totals": json.dumps({event.topic: event.part.total} if counted else {}),
            "deadline_s": self.deadline_s,
        }
        row = (await connection.execute(_BUMP, parameters)).one()
        return _State(row.arrived, row.totals, row.fired)

    async def _run_of(self, event: Event, uow: UnitOfWork) -> Run:
        """Return the run as the one of its parts has named it that names its portfolios."""
        row = (await uow.connection.execute(_RUN, {"name": self.name, "run_id": event.run.run_id})).one()
        return Run.model_validate(row.run)

    async def _fire_or_wait(self, run: Run, uow: UnitOfWork) -> None:
        if run.after is not None:
            await lock_forerunner(uow.connection, self.name, run.after)
            if await self._unmet(run, uow):
                await wait_for_forerunner(uow.connection, self.name, run, run.after)
                return
        await self._fire(run, uow)

    async def _fire_waiting(self, run: Run, uow: UnitOfWork) -> None:
        for waiting in await lock_going_on(uow.connection, self.name, self.streams, run):
            await self._fire(waiting, uow)
            await self._fire_waiting(waiting, uow)

    async def _unmet(self, run: Run, uow: UnitOfWork) -> tuple[ArrivedPart, ...]:
        """Return what the run goes on from and is not in, as a part that never came."""
        if run.after is None or await may_go_on(uow.connection, self.name, self.streams, run.after):
            return ()
        detail = f"did not reach {self.name} in time"
        failure = Failure(subject=f"run {run.after.run_id}", reason="DEADLINE", detail=detail)
        return (ArrivedPart(BatchTriggered.topic, 0, 1, (), (failure,)),)

    async def _fire(self, run: Run, uow: UnitOfWork, *, unmet: Sequence[ArrivedPart] = ()) -> None:
        await uow.connection.execute(_FIRE, {"name": self.name, "run_id": run.run_id})
        parts = await self._load_parts(run, uow)
        await self.fan_out(run, [*parts, *self._missing(parts), *unmet], uow)

    async def _load_parts(self, run: Run, uow: UnitOfWork) -> list[ArrivedPart]:
        rows = await uow.connection.execute(_PARTS, {"name": self.name, "run_id": run.run_id})
        return [_arrived(row) for row in rows]

    def _missing(self, parts: Sequence[ArrivedPart]) -> Iterator[ArrivedPart]:
        for stream in self.streams:
            arrived = {part.index: part.total for part in parts if part.stream == stream}
            total = max(arrived.values(), default=1)
            missing = missing_of(arrived, total)
            if missing:
                subject = f"{stream}: {missing if arrived else 'every part'}"
                failure = Failure(subject=subject, reason="DEADLINE", detail=f"did not reach {self.name} in time")
                yield ArrivedPart(stream, 0, total, (), (failure,))


def _arrived(row: Any) -> ArrivedPart:
    failures = tuple(Failure.model_validate(failure) for failure in row.failures)
    sessions = None if row.first_session is None else (row.first_session, row.last_session)
    return ArrivedPart(row.stream, row.part_index, row.part_total, tuple(row.subjects), failures, sessions)
