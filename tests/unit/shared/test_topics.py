"""How topics are made: as the settings say, and those that are there stay as they are."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from services.ops.settings import TopicSettings
from shared.bus import broker
from shared.bus.broker import create_topics
from shared.bus.connection import Connection
from shared.contracts.catalogue import all_topics
from shared.db.outbox import MAX_MESSAGE_BYTES


class Admin:
    """A client of a broker that has one topic already."""

    def __init__(self, **_: Any) -> None:
        self.asked: list[Any] = []

    async def start(self) -> None:
        """Connect to nothing."""

    async def close(self) -> None:
        """Nothing is open."""

    async def list_topics(self) -> list[str]:
        return ["prices.updated"]

    async def create_topics(self, topics: list[Any]) -> Any:
        self.asked += topics
        return SimpleNamespace(topic_errors=[(topic.name, 0) for topic in topics])


async def test_topics_have_the_partitions_and_replicas_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPIC_PARTITIONS", "3")
    monkeypatch.setenv("TOPIC_PARTITIONS_OF", json.dumps({"portfolio.due": 24, "risk.due": 1}))
    monkeypatch.setenv("TOPIC_REPLICATION_FACTOR", "3")
    monkeypatch.setenv("TOPIC_MIN_INSYNC_REPLICAS", "2")
    admin = Admin()
    monkeypatch.setattr(broker, "AIOKafkaAdminClient", lambda **_: admin)

    made = await create_topics(Connection("nowhere:9092"), TopicSettings().layout(at_least=6))

    assert set(made) == set(all_topics()) - {"prices.updated"}
    partitions = {topic.name: topic.num_partitions for topic in admin.asked}
    assert partitions == dict.fromkeys(made, 6) | {"portfolio.due": 24, "risk.due": 1}
    assert {topic.replication_factor for topic in admin.asked} == {3}
    configuration = {"max.message.bytes": str(MAX_MESSAGE_BYTES), "min.insync.replicas": "2"}
    assert all(topic.topic_configs == configuration for topic in admin.asked)


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"partitions": 0}, "greater than or equal to 1"),
        ({"partitions_of": {"prices.updatd": 4}}, "must name topics, was prices.updatd"),
        ({"partitions_of": {"prices.updated": 0}}, "greater than or equal to 1"),
        ({"replication_factor": 2, "min_insync_replicas": 3}, "must be at most 2, was 3"),
    ],
)
def test_topics_that_no_broker_could_make_are_refused(said: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        TopicSettings(**said)
