"""A service that runs: what its jobs do is supervised."""

import pytest

from shared.bus.broker import CAPABILITIES, build_broker
from shared.bus.consume import Consume
from shared.bus.relay import OutboxRelay
from shared.db.engine import build_engine, plain_url
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.metrics.service_metrics import ServiceMetrics
from shared.service import Service, running
from tests.support.bus_log import BusLog
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.probe import SERVICE
from tests.support.stack import Servers


def _service(servers: Servers, probe: ServiceDatabase) -> Service:
    kind, url = servers.broker_kind, probe.url(SERVICE)
    engine = build_engine(url, service=SERVICE)
    unit_of_work = UnitOfWorkFactory(engine, source=SERVICE)
    broker = build_broker(servers.bootstrap_servers, service=SERVICE)
    relay = OutboxRelay(plain_url(url.get_secret_value()), servers.bootstrap_servers, kind, service=SERVICE)
    metrics = ServiceMetrics(SERVICE)
    consume = Consume(broker, unit_of_work, metrics=metrics, capabilities=CAPABILITIES[kind])
    return Service(SERVICE, engine, unit_of_work, broker, relay, consume, metrics)


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
