"""Apache Kafka's jars: where they are, and how they get there (`make kafka` runs this module)."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from services.ops.hosting.embedded.errors import EmbeddedUnavailable

_REPOSITORY = Path(__file__).parents[4]
_POM = _REPOSITORY / "deploy" / "kafka" / "pom.xml"
_DIRECTORY_VARIABLE = "SIGMASIGHT_KAFKA_JARS"
_OLDEST_JAVA = 17


@dataclass(frozen=True, slots=True)
class KafkaJars:
    """Apache Kafka as a directory of jars, and the Java that runs it."""

    directory: Path
    version: str
    java: Path

    @property
    def classpath(self) -> str:
        """What Java is given."""
        return str(self.directory / "*")

    @property
    def classes(self) -> Path:
        """Where its classes are kept as Java has them in memory (`embedded.kafka_classes`)."""
        return self.directory / "classes.jsa"

    @property
    def loading(self) -> tuple[str, ...]:
        """What tells Java to take them from there; those of another Java, or of other jars, it leaves alone."""
        return ("-Xlog:cds*=off", f"-XX:SharedArchiveFile={self.classes}") if self.classes.exists() else ()


def jars_directory() -> Path:
    """Return where the jars are kept.

    Returns
    -------
    Path
        `SIGMASIGHT_KAFKA_JARS`, by default `build/kafka` of the repository.
    """
    return Path(os.environ.get(_DIRECTORY_VARIABLE) or _REPOSITORY / "build" / "kafka")


def find_kafka(directory: Path) -> KafkaJars:
    """Find Kafka and a Java that runs it.

    Parameters
    ----------
    directory : Path
        The directory of the jars.

    Returns
    -------
    KafkaJars
        What `EmbeddedKafka` needs.
    """
    jars = sorted(directory.glob("kafka_2.13-*.jar"))
    if not jars:
        raise EmbeddedUnavailable(f"Apache Kafka's jars must be in {directory}, which has none; run `make kafka`")
    return KafkaJars(directory, jars[-1].stem.rpartition("-")[2], find_java())


def find_java() -> Path:
    """Find a Java that is new enough: that of `JAVA_HOME`, else the one on the path.

    Returns
    -------
    Path
        Its executable.
    """
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if found is None:
        raise EmbeddedUnavailable(f"Apache Kafka needs Java {_OLDEST_JAVA} or later, and none was found")
    try:
        shown = subprocess.run([found, "-version"], capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedUnavailable(
            f"Apache Kafka needs Java {_OLDEST_JAVA} or later; {found} failed: {error}"
        ) from error
    version = re.search(r'version "(\d+)', shown.stderr)
    if version is None or int(version[1]) < _OLDEST_JAVA:
        was = version[1] if version else shown.stderr.strip()
        raise EmbeddedUnavailable(f"Java must be {_OLDEST_JAVA} or later, {found} was {was}")
    return Path(found)


def fetch_kafka(directory: Path) -> KafkaJars:
    """Fetch the jars from Maven Central.

    Parameters
    ----------
    directory : Path
        Where to put them; it appears when they are complete.

    Returns
    -------
    KafkaJars
        What is there then.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise EmbeddedUnavailable("Apache Kafka's jars are fetched with Maven (mvn), and none was found")
    find_java()
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as partial:
        fetched = Path(partial) / "kafka"
        goal = ("dependency:copy-dependencies", f"-DoutputDirectory={fetched}")
        maven_run = subprocess.run([maven, "-q", "-B", "-f", str(_POM), *goal], check=False)  # noqa: S603
        if maven_run.returncode != 0:
            raise EmbeddedUnavailable(f"Maven must fetch what {_POM} names, it ended with code {maven_run.returncode}")
        if directory.exists():
            shutil.rmtree(directory)
        fetched.rename(directory)
    return find_kafka(directory)


def main() -> int:
    """Fetch the jars and say where they are.

    Returns
    -------
    int
        The exit code.
    """
    try:
        kafka = fetch_kafka(jars_directory())
    except EmbeddedUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"Apache Kafka {kafka.version} in {kafka.directory}, run by {kafka.java}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
