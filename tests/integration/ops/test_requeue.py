import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from pydantic import SecretStr
from structlog.testing import capture_logs

from services.ops.errors import CommandError
from services.ops.hosting.preparation import prepare
from services.ops.hosting.requeue import requeue_deleted, requeue_outboxes
from services.ops.hosting.running import run_requeue
from shared.bus.deleted import Deleted, find_deleted, go_on_behind
from shared.settings import CommonSettings
from tests.support.databases import common_settings
from tests.support.eventually import eventually
from tests.support.stack import Servers, wanted_broker

_NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
async def common(servers: Servers, database: str) -> CommonSettings:
    """A database that is ready for the services."""
    settings = common_settings(servers, database)
    await prepare(settings)
    return settings


@pytest.fixture
async def admin(common: CommonSettings, database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    await connection.execute("TRUNCATE scheduler.runs, scheduler.outbox, market_data.outbox, symbol_analytics.outbox")
    yield connection
    await connection.close()


async def _add_run(admin: asyncpg.Connection, status: str) -> UUID:
    run_id = uuid4()
    day = date(2022, 12, 28)
    await admin.execute(
        "INSERT INTO scheduler.runs (run_id, kind, first_session, last_session, scope, run, status, counts_from,"
        " finished_at) VALUES ($1, 'on_demand', $2, $2, $3, '{}', $4, now(), $5)",
        run_id,
        day,
        str(run_id),
        status,
        None if status == "active" else _NOW,
    )
    return run_id


async def _add_row(
    admin: asyncpg.Connection,
    service: str,
    run_id: UUID | None,
    *,
    topic: str = "prices.updated",
    published: bool = True,
    age: timedelta = timedelta(),
) -> None:
    await admin.execute(
        f"INSERT INTO {service}.outbox (created_at, run_id, topic, key, value, headers, published_at)"
        " VALUES ($1, $2, $3, 'k', 'v', '{}', $4)",
        _NOW - age,
        run_id,
        topic,
        _NOW if published else None,
    )


async def _waiting(admin: asyncpg.Connection, service: str) -> int:
    count: int = await admin.fetchval(f"SELECT count(*) FROM {service}.outbox WHERE published_at IS NULL")
    return count


@pytest.mark.parametrize(
    ("status", "requeued"), [("active", 1), ("failed", 1), ("completed", 0), ("completed_with_errors", 0)]
)
async def test_requeue_requeues_rows_of_runs_that_are_not_done(
    common: CommonSettings, admin: asyncpg.Connection, status: str, requeued: int
) -> None:
    await _add_row(admin, "market_data", await _add_run(admin, status))

    assert (await requeue_outboxes(common))["market_data"] == requeued
    assert await _waiting(admin, "market_data") == requeued


async def test_requeue_requeues_rows_of_run_that_the_ledger_does_not_know(
    common: CommonSettings, admin: asyncpg.Connection
) -> None:
    await _add_row(admin, "symbol_analytics", uuid4())

    assert (await requeue_outboxes(common))["symbol_analytics"] == 1


async def test_requeue_of_ended_runs_requeues_the_last_days_announcements_only(
    common: CommonSettings, admin: asyncpg.Connection
) -> None:
    done = await _add_run(admin, "completed")
    await _add_row(admin, "scheduler", done, topic="batch.completed")
    await _add_row(admin, "scheduler", done, topic="batch.completed", age=timedelta(days=2))
    await _add_row(admin, "scheduler", done, topic="batch.triggered")

    assert (await requeue_outboxes(common))["scheduler"] == 1


async def test_requeue_after_a_long_absence_requeues_the_announcements_of_the_last_day_before_it(
    common: CommonSettings, admin: asyncpg.Connection
) -> None:
    done = await _add_run(admin, "completed")
    for days in (9, 12):
        await _add_row(admin, "scheduler", done, topic="batch.completed", age=timedelta(days=days))

    assert (await requeue_outboxes(common))["scheduler"] == 1


async def test_requeue_requeues_dead_letters_without_run(common: CommonSettings, admin: asyncpg.Connection) -> None:
    await _add_run(admin, "completed")
    await _add_row(admin, "symbol_analytics", None, topic="prices.updated.dlq")

    assert (await requeue_outboxes(common))["symbol_analytics"] == 1


async def test_requeue_leaves_what_still_waits_and_counts_nothing_twice(
    common: CommonSettings, admin: asyncpg.Connection
) -> None:
    await _add_row(admin, "market_data", await _add_run(admin, "active"), published=False)

    assert (await requeue_outboxes(common))["market_data"] == 0
    assert await _waiting(admin, "market_data") == 1


@pytest.mark.skipif(wanted_broker() != "kafka", reason="Tansu deletes nothing")
async def test_requeue_of_what_was_deleted_unread_requeues_its_topic_and_lets_its_reader_go_on(
    common: CommonSettings, admin: asyncpg.Connection, servers: Servers
) -> None:
    topic, group = "prices.updated", "portfolio.store_prices"
    done = await _add_run(admin, "completed")
    for about in (topic, "fundamentals.updated"):
        await _add_row(admin, "market_data", done, topic=about)
    deleted = await _deleted_unread(servers, topic, group)

    requeued, gone = await requeue_deleted(common)

    assert gone == [deleted]
    assert requeued["market_data"] == 1
    assert await admin.fetchval("SELECT topic FROM market_data.outbox WHERE published_at IS NULL") == topic
    assert await find_deleted(servers.connection, [group]) == []


@pytest.mark.skipif(wanted_broker() != "kafka", reason="Tansu deletes nothing")
async def test_requeue_waits_until_who_reads_has_seen_what_is_missing_and_has_left(
    common: CommonSettings, admin: asyncpg.Connection, servers: Servers
) -> None:
    topic, group = "prices.updated", "portfolio.store_prices"
    await _add_row(admin, "market_data", await _add_run(admin, "completed"), topic=topic)
    deleted = await _deleted_unread(servers, topic, group)
    reader = AIOKafkaConsumer(
        topic, bootstrap_servers=servers.bootstrap_servers, group_id=group, enable_auto_commit=False
    )
    await reader.start()

    with capture_logs() as logs:

        async def is_waiting() -> bool:
            return any("waiting for a group" in each["event"] for each in logs)

        async with asyncio.TaskGroup() as going_on:
            requeueing = going_on.create_task(requeue_deleted(common))
            await eventually(is_waiting)
            assert await _waiting(admin, "market_data") == 1
            await reader.stop()
    assert requeueing.result()[1] == [deleted]
    assert await find_deleted(servers.connection, [group]) == []


async def _deleted_unread(servers: Servers, topic: str, group: str) -> Deleted:
    async with AIOKafkaProducer(bootstrap_servers=servers.bootstrap_servers) as producer:
        places = [(await producer.send_and_wait(topic, b"junk", partition=0)).offset for _ in range(3)]
    await go_on_behind(servers.connection, Deleted(group, topic, 0, 0, places[0]))
    kafka = AIOKafkaAdminClient(bootstrap_servers=servers.bootstrap_servers)
    await kafka.start()
    await kafka.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=places[2])})
    await kafka.close()
    return Deleted(group, topic, 0, places[0], places[2])


def test_requeue_with_a_wrong_password_is_one_line(common: CommonSettings) -> None:
    wrong = common.model_copy(update={"service_database_password": SecretStr("sesame")})

    with pytest.raises(CommandError, match="the database cannot be used: password authentication failed") as failed:
        run_requeue(wrong)

    assert "\n" not in str(failed.value)
    assert "sesame" not in str(failed.value)


async def test_prepare_twice_changes_nothing(common: CommonSettings) -> None:
    await prepare(common)
