"""Webhooks: queued once with the end of a run, received once as far as that is up to us, tried again and given up."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from services.scheduler.commands import deliver_webhooks as delivering
from services.scheduler.commands.deliver_webhooks import deliver_webhooks
from services.scheduler.core.webhook import PAUSES
from services.scheduler.handlers.queue_webhook import queue_webhook
from services.scheduler.main import build
from services.scheduler.settings import SchedulerSettings
from shared.clock import FixedClock
from shared.contracts.event import Failure
from shared.contracts.run import ONLY_PART, Run, RunKind
from shared.contracts.scheduler import BatchCompleted, FailureCause, RunStatus, StageCount
from shared.service import Service
from tests.integration.scheduler.conftest import NOW
from tests.support.bus_log import BusLog
from tests.support.databases import ServiceDatabase
from tests.support.runs import make_run

KEY = b"a key that the receiver has"
SECRET = SecretStr(f"whsec_{base64.b64encode(KEY).decode()}")

Row = dict[str, Any]


@dataclass(slots=True)
class Receiver:
    """A server that speaks HTTP: it keeps what it is sent, and answers as it was told to."""

    service: Service
    port: int = 0
    answers: list[str] = field(default_factory=list)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    open_transactions: set[int] = field(default_factory=set)
    has_received: asyncio.Event = field(default_factory=asyncio.Event)
    limits: list[asyncio.Timeout] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def settings(self) -> SchedulerSettings:
        return SchedulerSettings(webhook_url=SecretStr(self.url), webhook_secret=SECRET)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:]) if name}
        self.received.append((headers, await reader.readexactly(int(headers["content-length"]))))
        self.open_transactions.add(self.service.engine.pool.checkedout())  # type: ignore[attr-defined]
        status = self.answers.pop(0) if self.answers else "204 No Content"
        self.has_received.set()
        if status == "never":
            # As far as who waits for it knows, the time is over.
            self.limits[-1].reschedule(asyncio.get_running_loop().time())
            await reader.read()
        else:
            if status.startswith("5"):
                await self.may_answer.wait()
            writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nlocation: /elsewhere\r\n\r\n".encode())
        writer.close()

    def limit(self, _: float) -> asyncio.Timeout:
        """Return a limit of time that is over when we say so."""
        self.limits.append(asyncio.timeout(None))
        return self.limits[-1]

    async def deliver(self) -> None:
        webhook = self.settings.webhook
        assert webhook is not None
        await deliver_webhooks(self.service.unit_of_work, webhook, FixedClock(NOW))


@pytest.fixture
async def receiver(scheduler: Service, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with scheduler.unit_of_work() as uow:
        await uow.connection.execute(sa.text("TRUNCATE webhook_deliveries"))
    receiver = Receiver(scheduler)
    receiver.may_answer.set()
    async with await asyncio.start_server(receiver.answer, "127.0.0.1", 0) as server:
        receiver.port = server.sockets[0].getsockname()[1]
        yield receiver


def _ended(run: Run | None = None, status: RunStatus = RunStatus.COMPLETED, **fields: Any) -> BatchCompleted:
    stage = StageCount(stage="prices.updated", parts_done=2, parts_total=2, subjects=9, failures=0, seconds=1.5)
    return BatchCompleted(
        run=run or make_run(), part=ONLY_PART, status=status, **{"stages": (stage,), "requested_at": NOW, **fields}
    )


async def _queue(receiver: Receiver, *events: BatchCompleted) -> None:
    for event in events:
        async with receiver.service.unit_of_work() as uow:
            await queue_webhook(event, uow, settings=receiver.settings)


async def _rows(receiver: Receiver) -> list[Row]:
    async with receiver.service.unit_of_work.reading() as connection:
        rows = await connection.execute(
            sa.text("SELECT *, due_at - clock_timestamp() AS due_in FROM webhook_deliveries ORDER BY queued_at")
        )
        return [dict(row) for row in rows.mappings()]


async def _change(receiver: Receiver, change: str) -> None:
    async with receiver.service.unit_of_work() as uow:
        await uow.connection.execute(sa.text(f"UPDATE webhook_deliveries SET {change}"))


async def test_end_of_a_run_is_told_signed_and_once(receiver: Receiver, bus_log: BusLog) -> None:
    cause = FailureCause(
        stage="prices.updated",
        reason="MISSING_DATA",
        detail="",
        subjects=3,
        examples=("A",),
        then=(),
        portfolios=1,
    )
    run = make_run(symbols=("A", "B"), requested_by="me")
    event = _ended(run, RunStatus.COMPLETED_WITH_ERRORS, seconds=90.0, sessions=1, causes=(cause,))
    await _queue(receiver, event, event)

    for _ in range(2):
        await receiver.deliver()

    ((headers, body),) = receiver.received
    signed = f"{event.event_id}.{int(NOW.timestamp())}.".encode() + body
    digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-id"] == str(event.event_id)
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert headers["webhook-signature"] == f"v1,{digest}"
    said = json.loads(body)
    assert (said["type"], said["timestamp"]) == ("run.completed", "2025-03-14T21:01:30+00:00")
    data = said["data"]
    assert data.pop("stages") == [stage.model_dump(mode="json") for stage in event.stages]
    assert data.pop("causes") == [cause.model_dump(mode="json")]
    assert data == {
        "run_id": str(run.run_id),
        "kind": "on_demand",
        "first_session": "2025-03-14",
        "last_session": "2025-03-14",
        "requested_by": "me",
        "status": "completed_with_errors",
        "cancelled": False,
        "sessions": 1,
        "requested_at": "2025-03-14T21:00:00Z",
        "seconds": 90.0,
        "why": None,
    }
    (row,) = await _rows(receiver)
    assert row["delivered_at"] is not None
    assert (row["attempts"], row["given_up_at"], row["last_error"]) == (1, None, None)
    assert len(bus_log.of("webhook delivered")) == 1


async def test_end_is_told_as_what_it_was(receiver: Receiver) -> None:
    without = StageCount(stage="prices.updated", parts_done=1, parts_total=2, subjects=9, failures=1, seconds=None)
    nothing = without.model_copy(update={"parts_done": 0, "parts_total": None})
    await _queue(
        receiver,
        _ended(),
        _ended(status=RunStatus.FAILED),
        _ended(status=RunStatus.COMPLETED_WITH_ERRORS, stages=(without,)),
        _ended(status=RunStatus.FAILED, stages=(nothing,)),
        _ended(status=RunStatus.FAILED, stages=(nothing,), cancelled=True),
    )

    told = [(row["type"], json.loads(row["body"])["type"]) for row in await _rows(receiver)]

    kinds = ["run.completed", "run.failed", "run.overdue", "run.overdue", "run.failed"]
    assert told == [(kind, kind) for kind in kinds]


async def test_what_is_told_stays_small_whatever_the_run_was_over(receiver: Receiver) -> None:
    run = make_run(symbols=tuple(f"S{place}" for place in range(10_000)))
    failures = tuple(Failure(subject=f"S{place}", reason="MISSING_DATA", detail="x" * 500) for place in range(500))
    await _queue(receiver, _ended(run, failures=failures))

    (row,) = await _rows(receiver)

    assert len(row["body"]) < 2_000


async def test_nothing_is_told_of_steps_nor_where_nobody_is_to_be_told(receiver: Receiver) -> None:
    await _queue(receiver, *(_ended(make_run(kind=kind)) for kind in (RunKind.BACKFILL, RunKind.REPLAY)))
    async with receiver.service.unit_of_work() as uow:
        await queue_webhook(_ended(), uow, settings=SchedulerSettings())

    assert await _rows(receiver) == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("500 Internal Server Error", "answered 500"),
        ("404 Not Found", "answered 404"),
        # What a redirect leads to was never told to be a receiver.
        ("302 Found", "answered 302"),
        ("307 Temporary Redirect", "answered 307"),
        ("no HTTP", "RemoteProtocolError: "),
        ("never", "no answer within 15 s"),
    ],
)
async def test_delivery_that_is_not_received_is_tried_again_after_a_pause(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, answer: str, error: str
) -> None:
    monkeypatch.setattr(delivering, "asyncio", SimpleNamespace(timeout=receiver.limit))
    receiver.answers = [answer]
    await _queue(receiver, _ended())

    for _ in range(2):
        await receiver.deliver()

    (row,) = await _rows(receiver)
    assert len(receiver.received) == 1
    assert row["last_error"].startswith(error)
    assert (row["attempts"], row["delivered_at"], row["given_up_at"]) == (1, None, None)
    assert PAUSES[0] / 2 < row["due_in"] <= PAUSES[0]
    await _change(receiver, "due_at = clock_timestamp()")
    await receiver.deliver()
    (row,) = await _rows(receiver)
    assert (row["attempts"], row["last_error"]) == (2, None)
    assert row["delivered_at"] is not None
    first, second = receiver.received
    assert (first[0]["webhook-id"], first[1]) == (second[0]["webhook-id"], second[1])


async def test_delivery_that_is_never_received_is_given_up_and_said_so(receiver: Receiver, bus_log: BusLog) -> None:
    with socket.socket() as taken:  # nobody listens on a port that is only bound
        taken.bind(("127.0.0.1", 0))
        receiver.port = taken.getsockname()[1]
        await _queue(receiver, _ended())
        pauses = []
        for _ in range(len(PAUSES) + 3):
            await receiver.deliver()
            (row,) = await _rows(receiver)
            pauses.append(row["due_in"])
            await _change(receiver, "due_at = clock_timestamp()")

    assert row["attempts"] == len(PAUSES) + 1
    assert row["given_up_at"] is not None
    assert row["last_error"].startswith("ConnectError: ")
    assert all(pause / 2 < waits <= pause for pause, waits in zip(PAUSES, pauses, strict=False))
    assert len(bus_log.of("webhook not delivered")) == len(PAUSES)
    (given_up,) = bus_log.of("webhook given up")
    assert (given_up["level"], given_up["attempts"]) == ("error", len(PAUSES) + 1)


async def test_two_schedulers_deliver_each_once_and_hold_no_connection_meanwhile(receiver: Receiver) -> None:
    events = [_ended() for _ in range(20)]
    await _queue(receiver, *events)

    await asyncio.gather(receiver.deliver(), receiver.deliver())

    assert sorted(headers["webhook-id"] for headers, _ in receiver.received) == sorted(
        str(event.event_id) for event in events
    )
    assert {row["attempts"] for row in await _rows(receiver)} == {1}
    # The other one may be claiming or settling: at most its own connection is out.
    assert max(receiver.open_transactions) <= 1


async def test_delivery_in_the_hands_of_a_process_that_died_is_left_alone_and_then_sent_by_another(
    receiver: Receiver,
) -> None:
    receiver.answers = ["never"]
    await _queue(receiver, _ended())
    dying = asyncio.create_task(receiver.deliver())
    await receiver.has_received.wait()
    await receiver.deliver()
    assert len(receiver.received) == 1
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)

    await receiver.deliver()
    assert len(receiver.received) == 1
    await _change(receiver, "due_at = clock_timestamp()")  # its claim has run out
    await receiver.deliver()

    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    (row,) = await _rows(receiver)
    assert (len(receiver.received), row["attempts"]) == (2, 2)
    assert row["delivered_at"] is not None


async def test_attempt_that_ends_after_its_claim_does_not_undo_what_came_since(receiver: Receiver) -> None:
    receiver.answers = ["500 Internal Server Error"]
    receiver.may_answer.clear()
    await _queue(receiver, _ended())
    slow = asyncio.create_task(receiver.deliver())
    await receiver.has_received.wait()
    await _change(receiver, "due_at = clock_timestamp()")
    await receiver.deliver()
    received = await _rows(receiver)
    receiver.may_answer.set()
    await slow

    (row,) = await _rows(receiver)
    assert (row["delivered_at"], row["attempts"], row["last_error"]) == (received[0]["delivered_at"], 2, None)


async def test_scheduler_delivers_in_the_background_where_there_is_a_receiver(
    receiver: Receiver, database: ServiceDatabase
) -> None:
    await _queue(receiver, _ended())
    told, silent = (build(database.common, settings) for settings in (receiver.settings, SchedulerSettings()))

    (deliver,) = told.background[len(silent.background) :]
    await deliver()
    for service in (told, silent):
        await service.engine.dispose()

    assert len(receiver.received) == 1
