"""Apache Kafka as a server of ours."""

import base64
import secrets
import shutil
import signal
from pathlib import Path

from services.ops.hosting.embedded.kafka_jars import KafkaJars
from services.ops.hosting.embedded.ports import remembered_port
from services.ops.hosting.embedded.process import ServerProcess, run_tool
from services.ops.hosting.embedded.readiness import broker_answers

_READY_WITHIN_S = 90.0
# Warnings and errors go to the log file. The optimising compiler would cost the start more than it gives a small load.
# Nobody reads the counters of `jstat`, which are written twenty times a second.
_JAVA_OPTIONS = (
    *("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"),
    *("-Djava.awt.headless=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"),
)


class EmbeddedKafka:
    """Apache Kafka as one process, broker and controller, with its log below a directory of ours.

    Parameters
    ----------
    data_dir : Path
        The data directory. What an earlier start has stored there is found again.
    jars : KafkaJars
        Kafka itself.
    java_options : tuple of str, optional
        What the broker's Java is told beside.
    """

    def __init__(self, data_dir: Path, jars: KafkaJars, *, java_options: tuple[str, ...] = ()) -> None:
        self._home = data_dir.absolute() / "kafka"
        self._jars = jars
        self._java_options = java_options
        self._process: ServerProcess | None = None
        self._bootstrap_servers: str | None = None
        self._log_is_new: bool | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address."""
        assert self._bootstrap_servers is not None, "must be started before it has an address"  # noqa: S101
        return self._bootstrap_servers

    @property
    def log_is_new(self) -> bool:
        """Whether this start made the log."""
        assert self._log_is_new is not None, "must be started before the log is known"  # noqa: S101
        return self._log_is_new

    async def start(self) -> None:
        """Start the broker and return when it answers."""
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._process = ServerProcess("kafka", self._home, stop_signals=(signal.SIGTERM,))
        await self._process.stop_orphan()
        address = f"127.0.0.1:{remembered_port(self._home / 'port')}"
        controller = f"127.0.0.1:{remembered_port(self._home / 'controller_port')}"
        log, configuration = self._home / "log", self._home / "server.properties"
        self._log_is_new = not log.exists()
        if self._log_is_new:
            # It gets its name when it is complete, so that a killed start leaves nothing half done.
            partial = self._home / "log.partial"
            shutil.rmtree(partial, ignore_errors=True)
            configuration.write_text(_properties(address, controller, partial))
            await self._format(configuration)
            partial.rename(log)
        configuration.write_text(_properties(address, controller, log))
        command = (*self._java(*_JAVA_OPTIONS, *self._java_options), "kafka.Kafka", str(configuration))
        await self._process.start(command, lambda: broker_answers(address), within_s=_READY_WITHIN_S)
        self._bootstrap_servers = address

    async def ended(self) -> str:
        """Return when the server has ended by itself, and how."""
        assert self._process is not None, "must be started before it can end"  # noqa: S101
        return await self._process.ended()

    async def stop(self) -> None:
        """Stop the broker after it has closed its log. Harmless when not running."""
        if self._process is not None:
            await self._process.stop()
            self._process = None

    def _java(self, *options: str) -> tuple[str, ...]:
        return (str(self._jars.java), *self._jars.loading, *options, "-cp", self._jars.classpath)

    async def _format(self, configuration: Path) -> None:
        cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
        tool = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "--config", str(configuration))
        await run_tool("kafka-storage", (*self._java("-XX:TieredStopAtLevel=1"), *tool), self._home)


def _properties(address: str, controller: str, log: Path) -> str:
    properties = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{address}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": log,
        # A topic exists because somebody declared it, with its partitions.
        "auto.create.topics.enable": "false",
        # One broker holds everything.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
        # After a kill the old incarnation has to be fenced before the new one leads: some 5 s instead of 11.8 s. In a
        # shorter session the controller looks for it, and the broker tells of itself, more often.
        "broker.session.timeout.ms": 2_000,
        "broker.heartbeat.interval.ms": 700,
        # Nobody follows its log: a record twice a second that says nothing is written for nobody.
        "metadata.max.idle.interval.ms": 60_000,
        # The cleaner's buffer is allocated at once; the default, 128 MiB, is for disks full of compacted topics.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        # Each thread looks three times a second whether there is something to do.
        "num.network.threads": 1,
        "num.io.threads": 2,
        "group.coordinator.threads": 1,
        "share.coordinator.threads": 1,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())
