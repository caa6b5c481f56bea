from collections import Counter

import pytest
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from shared.bus.broker import spread

TOPIC = "risk.due"


class _Cluster:
    """A broker that has one topic of four partitions."""

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0, 1, 2, 3}


def _process_of() -> dict[int, str]:
    """Return which of two processes reads which partition."""
    member = ConsumerProtocolMemberMetadata(0, [TOPIC], b"")
    assigned = RoundRobinPartitionAssignor.assign(_Cluster(), {"one": member, "other": member})
    return {
        partition: process
        for process, of_process in assigned.items()
        for _, partitions in of_process.assignment
        for partition in partitions
    }


@pytest.mark.parametrize("parts", range(1, 21))
def test_parts_of_a_stage_are_shared_evenly_among_processes(parts: int) -> None:
    process_of, partitions = _process_of(), [2, 0, 3, 1]

    counts = Counter(process_of[spread(f"shard-{part}".encode(), partitions, partitions)] for part in range(parts))

    assert max(counts.values()) == (parts + 1) // 2


@pytest.mark.parametrize("key", [b"6f1c7a9e-0d3b-4c55-9d7e-2f1f0c0b8a11", b"AAPL", b"shard-", b"shard-1/2", None])
def test_what_is_no_part_stays_where_its_key_is(key: bytes | None) -> None:
    partitions = [0, 1, 2, 3]

    assert spread(key, partitions, partitions) in partitions
    if key is not None:
        assert len({spread(key, partitions, partitions) for _ in range(10)}) == 1
