"""Which broker is run: Kafka where it is installed, else Tansu, or the one that was asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from services.ops.hosting.embedded.errors import EmbeddedUnavailable
from services.ops.hosting.embedded.kafka import EmbeddedKafka
from services.ops.hosting.embedded.kafka_jars import KafkaJars, find_kafka, jars_directory
from services.ops.hosting.embedded.tansu import EmbeddedTansu, tansu_version

BrokerKind = Literal["tansu", "kafka"]


class EmbeddedServer(Protocol):
    """A server that we run."""

    async def start(self) -> None:
        """Start it and return when it answers."""
        ...

    async def ended(self) -> str:
        """Return when it has ended by itself, and how."""
        ...

    async def stop(self) -> None:
        """Stop it. Harmless when not running."""
        ...


class EmbeddedBroker(EmbeddedServer, Protocol):
    """A broker that we run."""

    @property
    def bootstrap_servers(self) -> str:
        """The address."""
        ...

    @property
    def log_is_new(self) -> bool:
        """Whether it remembers nothing of an earlier start."""
        ...


@dataclass(frozen=True, slots=True)
class BrokerChoice:
    """Which broker is run, and why.

    Attributes
    ----------
    kind : BrokerKind
        Which one.
    version : str
        Its version, for people.
    why : str
        For people.
    jars : KafkaJars | None
        Kafka itself, if it was chosen.
    """

    kind: BrokerKind
    version: str
    why: str
    jars: KafkaJars | None = None

    def broker(self, data_dir: Path) -> EmbeddedBroker:
        """Return the broker, not started.

        Parameters
        ----------
        data_dir : Path
            The data directory.

        Returns
        -------
        EmbeddedBroker
            The broker.
        """
        return EmbeddedTansu(data_dir) if self.jars is None else EmbeddedKafka(data_dir, self.jars)


def choose_broker(wanted: BrokerKind | None, *, jars_dir: Path | None = None) -> BrokerChoice:
    """Choose the broker to run.

    Parameters
    ----------
    wanted : BrokerKind | None
        Which one; None for Kafka where its jars and Java are, else Tansu.
    jars_dir : Path | None
        Where Kafka's jars are; None for the place that `make kafka` fills.

    Returns
    -------
    BrokerChoice
        The choice; `EmbeddedUnavailable` is raised when what is wanted isn't there.
    """
    if wanted == "tansu":
        return BrokerChoice("tansu", tansu_version(), "asked for")
    try:
        jars = find_kafka(jars_dir or jars_directory())
    except EmbeddedUnavailable as missing:
        if wanted == "kafka":
            raise
        return BrokerChoice("tansu", tansu_version(), f"its log is kept in memory; no Kafka: {missing}")
    return BrokerChoice("kafka", jars.version, "asked for" if wanted else f"found in {jars.directory}", jars)
