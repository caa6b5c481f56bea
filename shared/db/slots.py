"""Slots: how many transactions may be at one kind of work at once, in all processes together."""

import random
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

# The first that is free, in the order that is given: the function is asked slot by slot until one is taken.
_TAKE = sa.text(
    """
    SELECT slot FROM unnest(CAST(:slots AS integer[])) AS slot
    WHERE pg_try_advisory_xact_lock(hashtext(:name), slot) LIMIT 1
    """
)
_WAIT = sa.text("SELECT pg_advisory_xact_lock(hashtext(:name), :slot)")


@dataclass(frozen=True, slots=True)
class Slots:
    """Advisory locks, one a slot, of the database that the work is done in.

    They end with the transaction, so also with a process that dies.
    """

    name: str
    count: int

    async def take(self, connection: AsyncConnection) -> None:
        """Take a slot until the transaction ends; where none is free, wait for one of them.

        Take it before any other lock: who waits holds up nobody then.
        """
        # In another order each time, so that those who wait are spread over the slots.
        order = random.sample(range(self.count), self.count)
        if await connection.scalar(_TAKE, {"name": self.name, "slots": order}) is None:
            await connection.execute(_WAIT, {"name": self.name, "slot": order[0]})
