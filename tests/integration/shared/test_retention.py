"""What was delivered is forgotten after its time, what waits to be published never."""

from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.contracts.run import ONLY_PART
from shared.db.engine import plain_url
from shared.db.outbox import append_to_outbox, outbox_row
from shared.db.retention import Retention
from tests.support.databases import ServiceDatabase
from tests.support.probe import SERVICE, ProbeFollowed
from tests.support.runs import make_run

# Long past: what the clock says, or a midnight, makes no difference.
TODAY: Final = datetime(2022, 12, 28, 12, tzinfo=UTC)
TOMORROW: Final = TODAY + timedelta(days=1)
DAYS: Final = 5


@pytest.fixture
async def published(engine: AsyncEngine) -> None:
    """Two messages of today that were published, and one that was taken in."""
    async with engine.begin() as connection:
        await connection.execute(sa.text("TRUNCATE outbox, inbox"))
        # The test before may have dropped it.
        await connection.execute(
            sa.text(
                f"CREATE TABLE IF NOT EXISTS outbox_{TODAY:%Y%m%d} PARTITION OF outbox "
                f"FOR VALUES FROM ('{TODAY:%Y-%m-%d}T00:00:00Z') TO ('{TOMORROW:%Y-%m-%d}T00:00:00Z')"
            )
        )
        event = ProbeFollowed(run=make_run(), part=ONLY_PART)
        await append_to_outbox(connection, [outbox_row(event, source=SERVICE)] * 2)
        await connection.execute(sa.text("UPDATE outbox SET created_at = :then, published_at = :then"), {"then": TODAY})
        taken_in = "INSERT INTO inbox (consumer, event_id, received_at) VALUES ('probe', gen_random_uuid(), :then)"
        await connection.execute(sa.text(taken_in), {"then": TODAY})


async def rows_left(probe: ServiceDatabase, *, after: timedelta) -> tuple[int, int]:
    """Return how many messages are left in outbox and inbox when so long has passed."""
    url = plain_url(probe.url(SERVICE).get_secret_value())
    connection = await asyncpg.connect(url, server_settings={"search_path": SERVICE})
    try:
        assert await Retention(log_days=DAYS).forget(connection, TOMORROW + after)
        return tuple([await connection.fetchval(f"SELECT count(*) FROM {table}") for table in ("outbox", "inbox")])
    finally:
        await connection.close()


@pytest.mark.usefixtures("published")
async def test_message_is_kept_for_so_many_days(probe: ServiceDatabase) -> None:
    assert await rows_left(probe, after=timedelta(days=DAYS - 1)) == (2, 1)


@pytest.mark.usefixtures("published")
async def test_message_is_forgotten_when_they_have_passed(probe: ServiceDatabase) -> None:
    assert await rows_left(probe, after=timedelta(days=DAYS)) == (0, 0)


@pytest.mark.usefixtures("published")
async def test_day_with_a_message_that_waits_is_kept(probe: ServiceDatabase, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        query = "UPDATE outbox SET published_at = NULL WHERE id = (SELECT min(id) FROM outbox)"
        await connection.execute(sa.text(query))
    assert await rows_left(probe, after=timedelta(days=DAYS)) == (2, 0)


async def test_that_a_run_was_cancelled_is_forgotten_with_its_messages(
    probe: ServiceDatabase, engine: AsyncEngine, published: None
) -> None:
    old, young = make_run(), make_run()
    async with engine.begin() as connection:
        await connection.execute(
            sa.text("INSERT INTO cancelled_runs VALUES (:old, :then), (:young, :now)"),
            {"old": old.run_id, "then": TODAY - timedelta(days=DAYS), "young": young.run_id, "now": TOMORROW},
        )

    await rows_left(probe, after=timedelta(0))

    async with engine.connect() as connection:
        left = (await connection.execute(sa.text("SELECT run_id FROM cancelled_runs"))).scalars().all()
    assert left == [young.run_id]
