import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from tests.support.stack import Servers, fresh_database


async def test_session_broker_answers(servers: Servers) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.bootstrap_servers)
    await admin.start()
    assert (await admin.describe_cluster())["brokers"]
    await admin.close()


async def test_module_database_is_its_own(postgres: Servers, database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE mine ()")
    await connection.close()

    async with fresh_database(postgres.database_url) as other:
        connection = await asyncpg.connect(other)
        assert await connection.fetchval("SELECT to_regclass('mine')") is None
        # Left open: a test that leaks a connection must not keep its database from being dropped.
