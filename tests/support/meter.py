"""How much a client and its database tell one another."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(slots=True)
class Meter:
    """Where the database is reached by who is measured, and how many bytes have gone either way."""

    url: str
    told: int = 0


@asynccontextmanager
async def metered(database_url: str) -> AsyncIterator[Meter]:
    """Stand between a database and its clients, and count."""
    database = urlsplit(database_url)

    async def passes(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while some := await source.read(1 << 16):
            meter.told += len(some)
            target.write(some)
            await target.drain()
        target.close()

    async def connected(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(database.hostname, database.port)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(passes(client, to_server), passes(server, to_client))

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    user, _, _ = database.netloc.rpartition("@")
    meter = Meter(database._replace(netloc=f"{user}@127.0.0.1:{port}").geturl())
    async with listening:
        yield meter
