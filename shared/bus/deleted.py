"""Messages that a broker has deleted before a consumer had read them: it would go on behind them and say nothing.

A group of which that is so, when it begins or while it runs, is left alone until somebody has had them published again
and let it go on (`sigmasight requeue`): what it has not read is in the outbox of who announced it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CommitFailedError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupCoordinatorNotAvailableError,
    NotCoordinatorError,
)
from faststream.kafka import KafkaBroker

from shared.bus.asking import asking
from shared.bus.connection import Connection

# A broker that has just begun finds its offsets first.
_NOT_YET: Final = (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupCoordinatorNotAvailableError,
    NotCoordinatorError,
)
_PAUSE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Deleted:
    """What of a partition a group has not read and cannot read any more: from an offset until another one."""

    group: str
    topic: str
    partition: int
    start: int
    stop: int

    def __str__(self) -> str:
        return (
            f"{self.group} waits: the broker has deleted messages {self.start} to {self.stop - 1} of "
            f"{self.topic}/{self.partition} before they were read; `sigmasight requeue` publishes them again"
        )


def groups_of(broker: KafkaBroker) -> dict[str, Sequence[str]]:
    """Return which topics each group of a service reads."""
    subscribers: Sequence[Any] = broker.subscribers
    return {each.group_id: each.topic_names_for_subscribe for each in subscribers}


async def find_deleted(connection: Connection, groups: Collection[str]) -> list[Deleted]:
    """Return what of their topics was deleted behind the places where the groups have left off."""
    admin = AIOKafkaAdminClient(**connection.options())
    await admin.start()
    try:
        found = await asyncio.gather(*(_left_off(admin, group) for group in groups))
    finally:
        await admin.close()
    left_off = dict(zip(groups, found, strict=True))
    partitions = sorted({partition for places in left_off.values() for partition in places})
    if not partitions:
        return []
    async with asking(connection) as consumer:
        first: Mapping[TopicPartition, int] = await consumer.beginning_offsets(partitions)
    return [
        Deleted(group, partition.topic, partition.partition, offset, first[partition])
        for group, places in left_off.items()
        for partition, offset in sorted(places.items())
        if offset < first[partition]
    ]


async def _left_off(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    while True:
        try:
            places = await admin.list_consumer_group_offsets(group)
        except _NOT_YET:
            await asyncio.sleep(_PAUSE_S)
        else:
            return {partition: place.offset for partition, place in places.items() if place.offset >= 0}


async def go_on_behind(connection: Connection, deleted: Deleted) -> bool:
    """Let a group go on behind what was deleted, and return whether it does: not while somebody is in it."""
    partition = TopicPartition(deleted.topic, deleted.partition)
    async with asking(connection, group_id=deleted.group) as consumer:
        consumer.assign([partition])
        consumer.pause(partition)
        try:
            await consumer.commit({partition: deleted.stop})
        except CommitFailedError:
            return False
        return True


class ReadPastError(Exception):
    """A consumer was given what is behind messages that were deleted before it had read them."""

    def __init__(self, deleted: Deleted) -> None:
        super().__init__(str(deleted))
        self.deleted = deleted


class Progress:
    """How far a group has read the partitions that this process has of it."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._next: dict[TopicPartition, int] = {}
        self._in_hand: TopicPartition | None = None

    @contextlib.asynccontextmanager
    async def reading(self, consumer: AIOKafkaConsumer, record: ConsumerRecord) -> AsyncIterator[None]:
        """Process a message, which has been read at the end of the block.

        Raises
        ------
        ReadPastError
            If what is before it was deleted and not read; the block is not entered.
        """
        partition = TopicPartition(record.topic, record.partition)
        # The first one since the partition is ours, or one that does not follow the last.
        if self._next.get(partition) != record.offset:
            await self._refuse_to_skip(consumer, partition, record.offset)
        self._next[partition], self._in_hand = record.offset, partition
        try:
            yield
            self._next[partition] = record.offset + 1
        finally:
            self._in_hand = None

    async def _refuse_to_skip(self, consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
        left_off: int | None = await consumer.committed(partition)
        if left_off is None or left_off >= offset:
            return
        # Offsets may be left out for other reasons.
        first = (await consumer.beginning_offsets([partition]))[partition]
        if left_off < first:
            raise ReadPastError(Deleted(self._group, partition.topic, partition.partition, left_off, first))

    async def is_behind(self, consumer: AIOKafkaConsumer, deleted: Deleted) -> bool:
        """Return whether a consumer has gone on behind what was deleted and has been given nothing from there yet."""
        partition = TopicPartition(deleted.topic, deleted.partition)
        # What it had been given before it was deleted is read, and then committed.
        if partition not in consumer.assignment() or self._in_hand == partition:
            return False
        position: int = await consumer.position(partition)
        return self._next.get(partition, 0) < deleted.stop <= position


class OnlyThis:
    """Commits that one message was read, where FastStream commits how far all partitions are.

    Of one that has nothing in hand that may be behind what was deleted before it was read.
    """

    def __init__(self, consumer: Any, record: ConsumerRecord) -> None:
        self._consumer = consumer
        self._record = record

    async def commit(self) -> None:
        """Say that the message was read."""
        partition = TopicPartition(self._record.topic, self._record.partition)
        await self._consumer.commit({partition: self._record.offset + 1})

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read from there again."""
        self._consumer.seek(partition, offset)
