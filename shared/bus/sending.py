"""Handing messages to the broker so that those of a partition keep their order, whatever becomes of one of them."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from shared.bus.broker import spread
from shared.db.outbox import MAX_MESSAGE_BYTES, unpacked

Headers = list[tuple[str, bytes]]


def message_of(row: Any) -> tuple[bytes, Headers]:
    """Return what a row of the outbox is sent as: its value, and its headers."""
    value, headers = unpacked(row["value"], json.loads(row["headers"]))
    headers |= {"ce_time": row["created_at"].astimezone(UTC).isoformat()}
    return value, [(name, said.encode()) for name, said in headers.items()]


@dataclass(slots=True)
class Sending:
    """Rows of one topic on their way, in the order in which they stand in the outbox.

    A batch is on its way per partition; the next one follows when it was taken. aiokafka alone would send the next
    one also behind one that was refused, and what is about the same would overtake it.

    Attributes
    ----------
    taken : list
        What the broker has; grows meanwhile.
    too_large : list
        What it will never take, with the error.
    """

    topic: str
    rows: Sequence[Any]
    taken: list[Any] = field(default_factory=list)
    too_large: list[tuple[Any, MessageSizeTooLargeError]] = field(default_factory=list)

    async def run(self, producer: AIOKafkaProducer) -> None:
        """Send them.

        Raises
        ------
        KafkaError
            If the broker did not take some: those behind them in their partitions were not sent.
        """
        partitions = sorted(await producer.partitions_for(self.topic))
        lanes: dict[int, deque[Any]] = defaultdict(deque)
        for row in self.rows:
            lanes[spread(row["key"].encode(), partitions, partitions)].append(row)
        sent = [self._send_lane(producer, partition, lane) for partition, lane in lanes.items()]
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def _send_lane(self, producer: AIOKafkaProducer, partition: int, lane: deque[Any]) -> None:
        while lane:
            batch, rows = self._batch(producer, lane)
            if not rows:
                continue
            try:
                await (await producer.send_batch(batch, self.topic, partition=partition))
            except MessageSizeTooLargeError as error:
                if len(rows) > 1:
                    raise
                self.too_large.append((rows[0], error))
            else:
                self.taken += rows

    def _batch(self, producer: AIOKafkaProducer, lane: deque[Any]) -> tuple[Any, list[Any]]:
        batch, rows = producer.create_batch(), []
        while lane:
            key, (value, headers) = lane[0]["key"].encode(), message_of(lane[0])
            size = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, headers)
            if size > MAX_MESSAGE_BYTES:
                self.too_large.append((lane.popleft(), MessageSizeTooLargeError(f"{size} bytes")))
            elif batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                break
            else:
                rows.append(lane.popleft())
        batch.close()
        return batch, rows
