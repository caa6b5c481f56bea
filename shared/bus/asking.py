"""Asking a broker where topics begin and end, beside those who read them."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer

from shared.bus.connection import Connection


@contextlib.asynccontextmanager
async def asking(connection: Connection, **settings: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """Give a consumer on a connection of its own, which reads nothing and stops behind the block."""
    consumer = AIOKafkaConsumer(**connection.options(), enable_auto_commit=False, **settings)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
