"""Between clients and their database: how much they tell one another, and what of it is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(slots=True)
class Meter:
    """Where the database is reached by who is measured, and how many bytes have gone either way.

    Of so many commits the answer is `to_lose`: the connection is cut when it is there.
    """

    url: str
    told: int = 0
    to_lose: int = 0


@asynccontextmanager
async def metered(database_url: str) -> AsyncIterator[Meter]:
    """Stand between a database and its clients, and count."""
    database = urlsplit(database_url)

    async def connected(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(database.hostname, database.port)
        is_lost = False

        async def asks() -> None:
            nonlocal is_lost
            while some := await client.read(1 << 16):
                meter.told += len(some)
                if meter.to_lose and b"COMMIT" in some:
                    meter.to_lose -= 1
                    is_lost = True
                to_server.write(some)
                await to_server.drain()
            to_server.close()

        async def is_answered() -> None:
            while (some := await server.read(1 << 16)) and not is_lost:
                meter.told += len(some)
                to_client.write(some)
                await to_client.drain()
            to_client.close()

        with contextlib.suppress(ConnectionError):
            await asyncio.gather(asks(), is_answered())

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    user, _, _ = database.netloc.rpartition("@")
    meter = Meter(database._replace(netloc=f"{user}@127.0.0.1:{port}").geturl())
    async with listening:
        yield meter
