"""A service that runs: what its jobs do is supervised."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, NotLeaderForPartitionError, RequestTimedOutError
from fastapi import FastAPI
from pydantic import SecretStr

from shared.bus.broker import CAPABILITIES, build_broker
from shared.bus.consume import MAX_POLL_INTERVAL_MS, Consume
from shared.bus.relay import OutboxRelay
from shared.contracts.catalogue import dead_letter_topic
from shared.contracts.run import ONLY_PART
from shared.db.engine import build_engine, plain_url
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.metrics.service_metrics import ServiceMetrics
from shared.service import Service, answering, build_app, running
from shared.settings import CommonSettings
from tests.support.bus_log import BusLog
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.probe import SERVICE, ProbeServed, Script, Sender, Topic, follow_script
from tests.support.refusing import Refusing
from tests.support.runs import make_run
from tests.support.stack import Servers


def _service(servers: Servers, probe: ServiceDatabase) -> Service:
    kind, url = servers.broker_kind, probe.url(SERVICE)
    engine = build_engine(url, service=SERVICE)
    unit_of_work = UnitOfWorkFactory(engine, source=SERVICE)
    broker = build_broker(servers.connection, service=SERVICE)
    relay = OutboxRelay(plain_url(url.get_secret_value()), servers.connection, kind, service=SERVICE)
    metrics = ServiceMetrics(SERVICE)
    consume = Consume(broker, unit_of_work, metrics=metrics, capabilities=CAPABILITIES[kind])
    return Service(SERVICE, engine, unit_of_work, servers.connection, broker, relay, consume, metrics)


def _settings(servers: Servers, probe: ServiceDatabase) -> CommonSettings:
    return CommonSettings(
        database_url=probe.url(SERVICE),
        bootstrap_servers=servers.bootstrap_servers,
        broker=servers.broker_kind,
        viewer_token=SecretStr("viewer"),
        operator_token=SecretStr("operator"),
    )


def _served() -> ProbeServed:
    return ProbeServed(run=make_run(), part=ONLY_PART)


@asynccontextmanager
async def _asked(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Run an application and yield who asks it."""
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://probe") as api:
        yield api


async def test_service_that_only_answers_leaves_messages_to_others_and_is_ready_with_its_database(
    servers: Servers, probe: ServiceDatabase
) -> None:
    service, begun = _service(servers, probe), asyncio.Event()

    async def job() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def works() -> None:
        raise AssertionError("others do that")

    service.consume(ProbeServed, follow_script, script=Script())
    service.answering.append(job)
    service.background.append(works)
    service.warm_up.append(works)
    async with _asked(build_app([service], _settings(servers, probe), title="probe", run=answering)) as api:
        await begun.wait()
        assert (await api.get("/health/ready")).json() == {"status": "ready"}
        assert (await api.get("/health/live")).json() == {"status": "live"}
        assert (await api.get("/metrics")).is_success
        subscribers: Sequence[Any] = service.broker.subscribers
        assert [subscriber.running for subscriber in subscribers] == [False]


@pytest.mark.parametrize("fails", [False, True])
async def test_services_that_start_together_are_stopped_to_their_end_where_one_fails_or_a_stop_comes(
    servers: Servers, probe: ServiceDatabase, fails: bool
) -> None:
    quick, slow = _service(servers, probe), _service(servers, probe)
    begun, refused, stopped = asyncio.Event(), asyncio.Event(), []

    @asynccontextmanager
    async def starts(service: Service) -> AsyncIterator[None]:
        try:
            begun.set()
            await (refused if service is quick else asyncio.Event()).wait()
            if service is quick:
                raise ValueError("refused")
        finally:
            for _ in range(10 if service is slow else 0):
                await asyncio.sleep(0)
            stopped.append(service)
        yield

    app = build_app([quick, slow], _settings(servers, probe), title="probe", run=starts)
    starting = asyncio.create_task(app.router.lifespan_context(app).__aenter__())
    await begun.wait()
    if fails:
        refused.set()
    else:
        starting.cancel()
    with pytest.raises(ValueError if fails else asyncio.CancelledError):
        await starting
    assert stopped == [quick, slow]


async def test_service_whose_consumer_pauses_is_not_ready_and_one_that_has_stopped_is_not_live(
    servers: Servers, probe: ServiceDatabase, probe_topics: None
) -> None:
    service = _service(servers, probe)
    consumer = service.consume(ProbeServed, follow_script, script=Script())
    async with _asked(build_app([service], _settings(servers, probe), title="probe")) as api:
        assert (await api.get("/health/ready")).json() == {"status": "ready"}

        consumer.breakers[ProbeServed.topic].trouble = "pauses since noon"
        answer = await api.get("/health/ready")

        limit_s = MAX_POLL_INTERVAL_MS / 1000.0
        consumer.begun[ProbeServed.topic] = time.perf_counter() - limit_s + 60.0
        assert (await api.get("/health/live")).json() == {"status": "live"}
        consumer.begun[ProbeServed.topic] = time.perf_counter() - limit_s - 60.0
        live = await api.get("/health/live")

    assert (live.status_code, live.json()["detail"]) == (503, "no progress: probe.follow_script probe.served")
    assert (answer.status_code, answer.json()["detail"]) == (503, "probe.follow_script pauses since noon")


async def test_job_that_fails_is_told_with_its_service_and_tried_again(
    servers: Servers, probe: ServiceDatabase, bus_log: BusLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus_log.expect("background job failed")
    monkeypatch.setattr("shared.service.BACKGROUND_PAUSE_S", 0.01)
    service = _service(servers, probe)
    rounds: list[int] = []

    async def job() -> None:
        rounds.append(len(rounds))
        raise KeyError("a bug")

    service.background.append(job)

    async def tried_again() -> bool:
        return len(rounds) > 1

    async with running(service):
        await eventually(tried_again)

    assert bus_log.count("background job failed", service=SERVICE) == len(rounds)


async def test_dead_letter_topic_that_refuses_loses_no_letter_holds_up_nothing_and_is_told_of(
    servers: Servers, probe: ServiceDatabase, probe_topics: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = Topic(dead_letter_topic(ProbeServed.topic), servers.bootstrap_servers)
    broker, junk = Refusing(letters.name, says_so=True), uuid4().bytes
    monkeypatch.setattr("shared.bus.relay.build_producer", broker.producer)
    service, script, event = _service(servers, probe), Script(), _served()
    service.consume(ProbeServed, follow_script, script=script)
    app = build_app([service], _settings(servers, probe), title="probe")
    producer = AIOKafkaProducer(bootstrap_servers=servers.bootstrap_servers)

    async def letters_of_it() -> int:
        await letters.read()
        return sum(record.value == junk for record in letters.records)

    async with producer, _asked(app) as api:

        async def not_ready() -> str | None:
            answer = await api.get("/health/ready")
            return str(answer.json()["detail"]) if answer.status_code == 503 else None

        async def ready() -> bool:
            return await not_ready() is None

        async def processed() -> bool:
            return bool(script.calls_of(event.run))

        async def one_pending() -> bool:
            # What followed the event goes on, the letter waits.
            return 'sigmasight_outbox_pending{service="probe"} 1.0' in (await api.get("/metrics")).text

        await eventually(ready)
        sender = Sender(producer)
        await sender.raw(ProbeServed.topic, junk, headers={})
        await sender.event(event)
        await eventually(processed)
        said = str(await eventually(not_ready))
        assert f"probe's relay: {letters.name} refuses messages since 2" in said
        await eventually(one_pending)
        assert await letters_of_it() == 0

        broker.is_over.set()
        await eventually(ready)
        await eventually(letters_of_it)
    assert await letters_of_it() == 1
    await letters.close()


@pytest.mark.parametrize("error", [RequestTimedOutError, NotLeaderForPartitionError, KafkaTimeoutError])
async def test_message_whose_answer_is_lost_comes_again_and_has_one_effect(
    servers: Servers,
    probe: ServiceDatabase,
    probe_topics: None,
    monkeypatch: pytest.MonkeyPatch,
    error: type[KafkaError],
) -> None:
    topic, event, script = Topic(ProbeServed.topic, servers.bootstrap_servers), _served(), Script()
    broker = Refusing(topic.name, says_so=True)
    broker.loses, broker.refused = error, 3
    monkeypatch.setattr("shared.bus.relay.build_producer", broker.producer)
    service = _service(servers, probe)
    service.consume(ProbeServed, follow_script, script=script)
    async with running(service):
        async with service.unit_of_work() as uow:
            uow.emit(event)

        async def all_copies() -> bool:
            return len(await topic.of(event.run)) == 4

        await eventually(all_copies)
        last = _served()
        async with service.unit_of_work() as uow:
            uow.emit(last)

        async def passed() -> bool:
            return bool(script.calls_of(last.run))

        await eventually(passed)
        assert service.relay.troubles() == []
    assert script.calls_of(event.run) == [event]
    await topic.close()
