"""The SQL of the schedule: what it fired, its pauses, and the runs of its stages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.core.schedule import Outcome, Stage, Trigger
from shared.contracts.run import Run
from shared.contracts.scheduler import RunStatus

FIRE_NAMESPACE = uuid5(NAMESPACE_URL, "urn:sigmasight:fire")

# stage -> the scope of its run (`scope_of`)
STAGE_SCOPES: Final[Mapping[Stage, str]] = MappingProxyType(
    {
        Stage.NIGHTLY: "symbols=* portfolios=*",
        Stage.SYMBOLS: "symbols=* portfolios=",
        Stage.PORTFOLIOS: "symbols= portfolios=*",
    }
)

_FIRE_COLUMNS = (
    "fire_id, trigger_name, due_at, session, outcome, detail, run_ids, waits_for, asked_by, fired_by, fired_at"
)


@dataclass(frozen=True, slots=True)
class Fire:
    """A trigger that fired, and what came of it.

    Attributes
    ----------
    run_ids : tuple of UUID
        What it has asked for or joined so far, oldest first.
    waits_for : UUID or None
        The symbols run that the portfolios go on from.
    asked_by : str or None
        Who fired it by hand; None where its time did.
    fired_by : str
        The host and the process.
    """

    fire_id: UUID
    stage: Stage
    due_at: datetime
    session: date
    outcome: Outcome
    detail: str
    run_ids: tuple[UUID, ...]
    waits_for: UUID | None
    asked_by: str | None
    fired_by: str
    fired_at: datetime

    @property
    def requested_by(self) -> str:
        """Who asks for its runs."""
        return self.asked_by or f"schedule: {self.stage}"


@dataclass(frozen=True, slots=True)
class StageRun:
    """A run of a night's stage, and how it stands."""

    run: Run
    status: RunStatus

    @property
    def has_ended(self) -> bool:
        """However it ended."""
        return self.status is not RunStatus.ACTIVE

    @property
    def has_failed(self) -> bool:
        """It has ended and has not served its session."""
        return self.status not in {RunStatus.ACTIVE, RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS}


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which the schedule asks for nothing."""

    paused_at: datetime
    paused_by: str
    why: str
    resumed_at: datetime | None
    resumed_by: str | None


def fire_id_of(stage: Stage, due_at: datetime) -> UUID:
    """Return the id of a trigger at one of its times: whoever fires it says the same."""
    return uuid5(FIRE_NAMESPACE, f"{stage}|{due_at.timestamp()}")


def _times_of(trigger: Trigger) -> dict[str, str]:
    return {"name": trigger.stage.value, "crontab": trigger.crontab, "zone": trigger.zone}


def _fire(row: Any) -> Fire:
    stage, outcome, run_ids = Stage(row.trigger_name), Outcome(row.outcome), tuple(row.run_ids)
    return Fire(
        row.fire_id, stage, row.due_at, row.session, outcome, row.detail, run_ids,
        row.waits_for, row.asked_by, row.fired_by, row.fired_at,
    )  # fmt: skip


class ScheduleRepository:
    """Queries on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find_answered_until(self, trigger: Trigger) -> datetime | None:
        """Return the time up to which a trigger has been answered: its newest fire, or since it has these times."""
        query = sa.text(
            """
            SELECT greatest(since, (SELECT max(due_at) FROM fires WHERE trigger_name = :name AND asked_by IS NULL))
            FROM triggers WHERE (trigger_name, crontab, zone) = (:name, :crontab, :zone)
            """
        )
        until: datetime | None = await self._connection.scalar(query, _times_of(trigger))
        return until

    async def load_answered_until(self, trigger: Trigger, *, now: datetime) -> datetime:
        """Return the same; a trigger that has got other times has them since now."""
        until = await self.find_answered_until(trigger)
        if until is None:
            await self._store_trigger(_times_of(trigger), since=now)
        return until or now

    async def _store_trigger(self, parameters: Mapping[str, str], *, since: datetime) -> None:
        statement = sa.text(
            """
            INSERT INTO triggers (trigger_name, crontab, zone, since) VALUES (:name, :crontab, :zone, :since)
            ON CONFLICT (trigger_name) DO UPDATE
                SET crontab = excluded.crontab, zone = excluded.zone, since = excluded.since
            """
        )
        await self._connection.execute(statement, {**parameters, "since": since})

    async def append_fire(self, fire: Fire) -> bool:
        """Claim the time of a trigger; False if somebody else has fired it."""
        statement = sa.text(
            """
            INSERT INTO fires (trigger_name, due_at, fire_id, session, outcome, detail, asked_by, fired_by, fired_at)
            VALUES (:stage, :due_at, :fire_id, :session, :outcome, :detail, :asked_by, :fired_by, :fired_at)
            ON CONFLICT DO NOTHING RETURNING fire_id
            """
        )
        parameters = {
            "stage": fire.stage.value,
            "due_at": fire.due_at,
            "fire_id": fire.fire_id,
            "session": fire.session,
            "outcome": fire.outcome.value,
            "detail": fire.detail,
            "asked_by": fire.asked_by,
            "fired_by": fire.fired_by,
            "fired_at": fire.fired_at,
        }
        return await self._connection.scalar(statement, parameters) is not None

    async def store_answer(self, fire: Fire) -> None:
        """Record what came of a fire."""
        statement = sa.text(
            """
            UPDATE fires SET outcome = :outcome, detail = :detail, run_ids = :run_ids, waits_for = :waits_for
            WHERE fire_id = :fire_id
            """
        ).bindparams(sa.bindparam("run_ids", type_=sa.ARRAY(PG_UUID())))
        parameters = {
            "fire_id": fire.fire_id,
            "outcome": fire.outcome.value,
            "detail": fire.detail,
            "run_ids": list(fire.run_ids),
            "waits_for": fire.waits_for,
        }
        await self._connection.execute(statement, parameters)

    async def lock_night(self, session: date) -> None:
        """Let nobody else ask for a night of the session until the transaction ends."""
        statement = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        await self._connection.execute(statement, {"name": f"night of {session}"})

    async def find_fire(self, fire_id: UUID) -> Fire | None:
        """Return a fire if there is one of that id."""
        query = sa.text(f"SELECT {_FIRE_COLUMNS} FROM fires WHERE fire_id = :fire_id")
        row = (await self._connection.execute(query, {"fire_id": fire_id})).one_or_none()
        return None if row is None else _fire(row)

    async def list_fires(self, *, limit: int, behind: tuple[datetime, str] | None = None) -> list[Fire]:
        """Return fires, the newest due time first, behind a due time and stage."""
        query = sa.text(
            f"""
            SELECT {_FIRE_COLUMNS} FROM fires
            WHERE due_at < coalesce(CAST(:due_at AS timestamptz), 'infinity')
               OR due_at = CAST(:due_at AS timestamptz) AND trigger_name > CAST(:stage AS text)
            ORDER BY due_at DESC, trigger_name LIMIT :limit
            """
        )
        due_at, stage = behind or (None, None)
        rows = await self._connection.execute(query, {"limit": limit, "due_at": due_at, "stage": stage})
        return [_fire(row) for row in rows]

    async def find_asking_fire(self, stage: Stage, session: date) -> Fire | None:
        """Return the newest fire of a stage that asked for runs of the session, or is to do so."""
        query = sa.text(
            f"SELECT {_FIRE_COLUMNS} FROM fires WHERE trigger_name = :stage AND session = :session "
            "AND (outcome = 'waiting' OR outcome = 'requested' AND run_ids <> '{}') ORDER BY due_at DESC LIMIT 1"
        )
        row = (await self._connection.execute(query, {"stage": stage.value, "session": session})).one_or_none()
        return None if row is None else _fire(row)

    async def lock_waiting_fires(self, *, about: UUID | None = None) -> list[Fire]:
        """Return the fires that wait, oldest first; nobody else goes on with them until the transaction ends.

        Parameters
        ----------
        about : UUID, optional
            Of which run they wait for the symbols or for the portfolios; of any, where none is given.
        """
        of_it = "" if about is None else "AND (waits_for = :run_id OR :run_id = ANY(run_ids))"
        query = sa.text(
            f"SELECT {_FIRE_COLUMNS} FROM fires WHERE outcome = 'waiting' {of_it} ORDER BY due_at FOR UPDATE"
        )
        parameters = {} if about is None else {"run_id": about}
        return [_fire(row) for row in await self._connection.execute(query, parameters)]

    async def find_stage_run(self, stage: Stage, session: date) -> StageRun | None:
        """Return the newest night run of a stage over a session, whatever its status."""
        query = sa.text(
            """
            SELECT run, status FROM runs
            WHERE kind = 'nightly' AND last_session = :session AND md5(scope) = md5(:scope)
            ORDER BY requested_at DESC LIMIT 1
            """
        ).columns(sa.column("run", JSONB), sa.column("status"))
        parameters = {"session": session, "scope": STAGE_SCOPES[stage]}
        row = (await self._connection.execute(query, parameters)).one_or_none()
        return None if row is None else StageRun(Run.model_validate(row.run), RunStatus(row.status))

    async def list_stage_runs(self, run_ids: Iterable[UUID]) -> list[StageRun]:
        """Return runs by their ids, oldest request first."""
        query = sa.text(
            "SELECT run, status FROM runs WHERE run_id = ANY(CAST(:run_ids AS uuid[])) ORDER BY requested_at"
        ).columns(sa.column("run", JSONB), sa.column("status"))
        rows = await self._connection.execute(query, {"run_ids": list(run_ids)})
        return [StageRun(Run.model_validate(row.run), RunStatus(row.status)) for row in rows]

    async def find_pause(self) -> Pause | None:
        """Return the pause that lasts, if there is one."""
        query = sa.text(f"{_PAUSES} WHERE resumed_at IS NULL")
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else Pause(*row)

    async def list_pauses(self, *, limit: int, before: datetime | None) -> list[Pause]:
        """Return pauses that began before an instant, the newest first."""
        query = sa.text(
            f"{_PAUSES} WHERE paused_at < coalesce(CAST(:before AS timestamptz), 'infinity') "
            "ORDER BY paused_at DESC LIMIT :limit"
        )
        return [Pause(*row) for row in await self._connection.execute(query, {"limit": limit, "before": before})]

    async def store_pause(self, why: str, *, by: str, now: datetime) -> bool:
        """Begin a pause; False if one lasts already."""
        statement = sa.text(
            """
            INSERT INTO schedule_pauses (paused_at, paused_by, why) VALUES (:now, :by, :why)
            ON CONFLICT DO NOTHING RETURNING paused_at
            """
        )
        return await self._connection.scalar(statement, {"why": why, "by": by, "now": now}) is not None

    async def end_pause(self, *, by: str, now: datetime) -> Pause | None:
        """End the pause that lasts and return it, if there is one."""
        statement = sa.text(
            """
            UPDATE schedule_pauses SET resumed_at = :now, resumed_by = :by WHERE resumed_at IS NULL
            RETURNING paused_at, paused_by, why, resumed_at, resumed_by
            """
        )
        row = (await self._connection.execute(statement, {"by": by, "now": now})).one_or_none()
        return None if row is None else Pause(*row)


_PAUSES = "SELECT paused_at, paused_by, why, resumed_at, resumed_by FROM schedule_pauses"
