"""A database that commits and whose answer is lost: who tries again changes nothing."""

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bus.broker import CAPABILITIES, build_broker
from shared.bus.consume import Consume
from shared.bus.consumer import RetryPolicy
from shared.bus.dead_letters import Letter
from shared.contracts.catalogue import dead_letter_topic
from shared.contracts.run import Run
from shared.db.engine import build_engine
from shared.db.outbox import outbox_row
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.errors import PoisonEvent
from shared.metrics.service_metrics import ServiceMetrics
from tests.support.databases import ServiceDatabase
from tests.support.meter import metered
from tests.support.probe import SERVICE, ProbeFollowed, ProbeHappened, Script, count, follow_script, happened
from tests.support.runs import make_run
from tests.support.stack import Servers

POLICY = RetryPolicy(attempts=3, first_pause_s=0.01, longest_pause_s=0.05)


@pytest.mark.parametrize("is_poison", [False, True])
async def test_message_whose_commit_was_not_answered_is_processed_or_set_aside_once(
    servers: Servers, probe: ServiceDatabase, engine: AsyncEngine, is_poison: bool
) -> None:
    run, script = make_run(), Script()

    async def refuses(*_: object) -> None:
        raise PoisonEvent("never")

    if is_poison:
        script.behaviours[run.run_id] = refuses
    row = outbox_row(happened(run), source=SERVICE)
    letter = Letter(row.topic, 0, 0, row.key, row.value, row.headers)
    async with metered(probe.url(SERVICE).get_secret_value()) as meter:
        own = build_engine(SecretStr(meter.url), service=SERVICE)
        broker = build_broker(servers.connection, service=SERVICE)
        consume = Consume(
            broker,
            UnitOfWorkFactory(own, source=SERVICE),
            metrics=ServiceMetrics(SERVICE),
            capabilities=CAPABILITIES[servers.broker_kind],
            policy=POLICY,
        )
        consume(ProbeHappened, follow_script, on_failure=script.report, script=script)
        meter.to_lose = 1
        for _ in range(2):
            try:
                await consume.consumers[0].process(letter)
            except DBAPIError:
                continue
        await own.dispose()

    assert meter.to_lose == 0, "an answer was lost"
    assert len(script.calls) == 1 or is_poison
    assert await count(engine, "facts", run) == (0 if is_poison else 1)
    announced = {ProbeFollowed.topic: 1, dead_letter_topic(ProbeHappened.topic): int(is_poison)}
    assert {topic: await _announced(engine, topic, run) for topic in announced} == announced


async def _announced(engine: AsyncEngine, topic: str, run: Run) -> int:
    query = sa.text("SELECT count(*) FROM outbox WHERE topic = :topic AND run_id = :run_id")
    async with engine.connect() as connection:
        return int(await connection.scalar(query, {"topic": topic, "run_id": run.run_id}) or 0)
