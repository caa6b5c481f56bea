import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from services.ops.hosting.embedded.stack import RunningStack
from tests.support.stack import fresh_database


async def test_session_broker_answers(stack: RunningStack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap_servers)
    await admin.start()
    assert (await admin.describe_cluster())["brokers"]
    await admin.close()


async def test_module_database_is_its_own(stack: RunningStack, database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE mine ()")
    await connection.close()

    async with fresh_database(stack.database_url) as other:
        connection = await asyncpg.connect(other)
        assert await connection.fetchval("SELECT to_regclass('mine')") is None
        # Left open: a test that leaks a connection must not keep its database from being dropped.
