"""How far consumers have read: who is given what is behind messages that were deleted unread has not read on."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.bus.deleted import Deleted


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
