"""Connections that the server has ended are nobody's trouble."""

import sqlalchemy as sa

from shared.db.engine import build_engine
from tests.support.databases import ServiceDatabase
from tests.support.eventually import eventually
from tests.support.probe import SERVICE


async def test_connection_that_has_ended_is_replaced_before_anybody_works_with_it(probe: ServiceDatabase) -> None:
    engine, other = (build_engine(probe.url(SERVICE), service=SERVICE, pool_size=1) for _ in range(2))
    backend = sa.text("SELECT pg_backend_pid()")
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        ended = await connection.scalar(backend)
    assert driver is not None

    async with other.connect() as connection:
        await connection.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": ended})

    async def is_closed() -> bool:
        return bool(driver.is_closed())

    await eventually(is_closed)
    async with engine.connect() as connection:
        assert await connection.scalar(backend) != ended
    await engine.dispose()
    await other.dispose()
