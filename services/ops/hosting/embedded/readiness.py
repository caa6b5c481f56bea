"""Whether a broker answers."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError


async def broker_answers(bootstrap_servers: str) -> bool:
    """Tell whether a broker answers a metadata request and counts itself among the live ones.

    Parameters
    ----------
    bootstrap_servers : str
        Its address, `host:port`.

    Returns
    -------
    bool
        False while it starts, or while Kafka still holds its previous incarnation for alive.
    """
    host, _, port = bootstrap_servers.rpartition(":")
    try:
        # A bare connection first: the client logs an error for each attempt.
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=2_000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await admin.close()
    return bool(cluster["brokers"])
