"""One message = one transaction: the only place that commits."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.contracts.event import Event
from shared.db.audit import note_action, noted
from shared.db.engine import build_engine
from shared.db.outbox import OutboxRow, append_to_outbox, outbox_row
from shared.db.ownership import read_as_caller
from shared.failpoints import Place, failpoint


class UnitOfWork:
    """An open transaction and the events it will announce when it commits."""

    def __init__(self, connection: AsyncConnection, *, source: str) -> None:
        self.connection = connection
        self._source = source
        self._announced: list[OutboxRow] = []
        self.events: list[Event] = []

    def emit(self, *events: Event) -> None:
        """Announce facts; they leave with the commit, or not at all."""
        self.events.extend(events)
        self._announced.extend(outbox_row(event, source=self._source) for event in events)

    def post(self, row: OutboxRow) -> None:
        """Announce a ready-made message, such as a dead letter."""
        self._announced.append(row)

    async def flush(self) -> None:
        """Write the announced events into the outbox."""
        await append_to_outbox(self.connection, self._announced)
        self._announced = []


class UnitOfWorkFactory:
    """Opens units of work for one service; `listeners` hear of each event that was announced, once that is sure."""

    def __init__(self, engine: AsyncEngine, *, source: str) -> None:
        self._engine = engine
        self._source = source
        self.listeners: list[Callable[[Event], None]] = []

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[UnitOfWork]:
        """Commit what the block did, with its events, or roll all of it back."""
        async with self._engine.connect() as connection:
            await read_as_caller(connection, service=self._source)
            unit = UnitOfWork(connection, source=self._source)
            yield unit
            await unit.flush()
            await note_action(connection)
            if unit.events:
                failpoint(Place.WRITTEN, self._source)
            await connection.commit()
            noted()
            if unit.events:
                failpoint(Place.COMMITTED, self._source)
        for event in unit.events:
            for listen in self.listeners:
                listen(event)

    @asynccontextmanager
    async def trying(self) -> AsyncIterator[UnitOfWork]:
        """Roll back what the block did, whatever came of it; nothing of it is announced."""
        async with self._engine.connect() as connection:
            await read_as_caller(connection, service=self._source)
            yield UnitOfWork(connection, source=self._source)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection that will not write; what it does is rolled back."""
        async with self._engine.connect() as connection:
            await read_as_caller(connection, service=self._source)
            yield connection

    @asynccontextmanager
    async def overseeing(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection that will not write and sees everybody's rows, whoever asks: its user chooses from them."""
        async with self._engine.connect() as connection:
            yield connection


@asynccontextmanager
async def one_transaction(url: SecretStr, *, service: str) -> AsyncIterator[AsyncConnection]:
    """Open the one transaction of work that is done beside the running service, in its schema."""
    engine = build_engine(url, service=service, pool_size=1)
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()
