"""Messages that a broker has deleted before a consumer had read them: it would go on behind them and say nothing.

A group of which that is so, when it begins or while it runs, is left alone until somebody has had them published again
and let it go on (`sigmasight requeue`): what it has not read is in the outbox of who announced it.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition
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
