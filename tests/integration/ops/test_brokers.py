import importlib.util
import subprocess
from pathlib import Path

import pytest

from services.ops.hosting.embedded.brokers import choose_broker
from services.ops.hosting.embedded.errors import EmbeddedUnavailable
from services.ops.hosting.embedded.kafka_jars import fetch_kafka, find_java, find_kafka, jars_directory


def _java(directory: Path, version: str) -> Path:
    java = directory / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(0o755)
    return java


def _jars(directory: Path) -> Path:
    (directory / "kafka_2.13-4.3.0.jar").touch()
    return directory


def test_broker_unspecified_with_jars_and_java_is_kafka(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = _java(tmp_path / "jdk", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))

    choice = choose_broker(None, jars_dir=_jars(tmp_path))

    assert (choice.kind, choice.version) == ("kafka", "4.3.0")
    assert choice.jars is not None
    assert choice.jars.java == java


def test_broker_unspecified_without_jars_is_tansu_and_says_why(tmp_path: Path) -> None:
    choice = choose_broker(None, jars_dir=tmp_path)

    assert choice.kind == "tansu"
    assert "make kafka" in choice.why


def test_broker_unspecified_with_old_java_is_tansu_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _java(tmp_path / "jdk", "11.0.2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))

    choice = choose_broker(None, jars_dir=_jars(tmp_path))

    assert choice.kind == "tansu"
    assert "was 11" in choice.why


def test_broker_kafka_without_jars_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedUnavailable, match="make kafka"):
        choose_broker("kafka", jars_dir=tmp_path)


def test_broker_tansu_without_wheel_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(EmbeddedUnavailable, match="--bootstrap-servers"):
        choose_broker("tansu")


def test_java_absent_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(EmbeddedUnavailable, match="none was found"):
        find_java()


def test_java_numbered_in_the_old_way_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _java(tmp_path, "1.8.0_402")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    with pytest.raises(EmbeddedUnavailable, match="17 or later"):
        find_java()


def test_jars_fetched_without_maven_is_said_and_keeps_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _java(tmp_path / "jdk", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    monkeypatch.setenv("PATH", "")

    with pytest.raises(EmbeddedUnavailable, match="mvn"):
        fetch_kafka(_jars(tmp_path))

    assert find_kafka(tmp_path).version == "4.3.0"


@pytest.mark.broker
def test_kafka_takes_its_classes_as_java_had_them_in_memory() -> None:
    try:
        jars = find_kafka(jars_directory())
    except EmbeddedUnavailable as missing:
        pytest.skip(str(missing))
    if not jars.classes.exists():
        pytest.skip("the jars have come without their classes; run `make kafka`")

    command = [str(jars.java), *jars.loading, "-Xlog:class+load:stdout", "-cp", jars.classpath, "kafka.Kafka"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout

    assert "kafka.Kafka$ source: shared objects file (top)" in told


def test_kafka_without_kept_classes_is_loaded_from_its_jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _java(tmp_path / "jdk", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))

    assert find_kafka(_jars(tmp_path)).loading == ()
