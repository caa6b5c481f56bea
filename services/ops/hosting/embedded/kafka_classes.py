"""Keeps Apache Kafka's classes as Java has them in memory: its starts take half the processor time (`make kafka`)."""

import asyncio
import sys
import tempfile
from pathlib import Path

from services.ops.hosting.embedded.kafka import EmbeddedKafka
from services.ops.hosting.embedded.kafka_jars import KafkaJars, find_kafka, jars_directory


async def keep_classes(jars: KafkaJars) -> None:
    """Run a broker for a moment; what it has loaded by its end is kept beside the jars.

    Parameters
    ----------
    jars : KafkaJars
        Kafka itself.
    """
    jars.classes.unlink(missing_ok=True)
    # It gets its name when it is complete: another broker may begin meanwhile.
    partial = jars.classes.with_suffix(".partial")
    with tempfile.TemporaryDirectory(prefix="sigmasight-kafka-") as directory:
        kafka = EmbeddedKafka(Path(directory), jars, java_options=(f"-XX:ArchiveClassesAtExit={partial}",))
        await kafka.start()
        await kafka.stop()
    partial.chmod(0o644)
    partial.rename(jars.classes)


def main() -> int:
    """Keep the classes of the Kafka that is there.

    Returns
    -------
    int
        The exit code.
    """
    asyncio.run(keep_classes(find_kafka(jars_directory())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
