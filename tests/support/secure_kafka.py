"""Apache Kafka as docker-compose.yml sets it up, which asks who is there and encrypts what is said."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.conn import create_conn
from aiokafka.protocol.admin import CreateAclsRequest_v1, CreateAclsResponse_v1
from aiokafka.protocol.api import Request

from services.ops.documents.acls import SCRIPT
from services.ops.hosting.embedded.kafka_jars import KafkaJars, find_kafka, jars_directory
from services.ops.hosting.embedded.ports import remembered_port
from services.ops.hosting.embedded.process import ServerProcess, run_tool
from services.ops.hosting.embedded.readiness import broker_answers
from tests.support.certificates import Authority, authority
from tests.support.compose import environment_of, properties_of

HOST = "localhost"
_STARTED_WITHIN_S = 90.0
_JAVA = (
    *("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
_OAUTH = "org.apache.kafka.common.security.oauthbearer"
# What compose does not need, and a broker for everybody has.
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_RESOURCES = {"--topic": 2, "--group": 3}
_OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8}
_PATTERNS = {"literal": 3, "prefixed": 4}
_ALLOW = 3


@dataclass(frozen=True, slots=True)
class SecureKafka:
    """A broker that runs.

    Attributes
    ----------
    address : str
        Where clients come, by SASL over TLS.
    certified : str
        Where clients come with a certificate.
    inside : str
        Where the administrator comes.
    issuer : Authority
        Who has issued its certificate, which is for `HOST`.
    """

    address: str
    certified: str
    inside: str
    issuer: Authority

    async def allow(self, directory: Path) -> None:
        """Run the script of the rules, with an administrator's tool that needs no jars."""
        told = directory / "told.jsonl"
        tool = directory / "kafka-acls"
        tool.write_text(f'#!/bin/sh\nexec python3 -c "{_TELL}" {shlex.quote(str(told))} "$@"\n')
        tool.chmod(0o755)
        environment = {**os.environ, "KAFKA_ACLS": str(tool), "BOOTSTRAP_SERVERS": self.inside}
        await asyncio.to_thread(subprocess.run, ["sh", str(SCRIPT)], env=environment, check=True)
        commands = [json.loads(line) for line in told.read_text().splitlines()]
        assert all(command[:3] == ["--bootstrap-server", self.inside, "--add"] for command in commands)
        await self._create([entry for command in commands for entry in _entries(command[3:])])

    async def _create(self, entries: list[tuple[object, ...]]) -> None:
        host, _, port = self.inside.rpartition(":")
        conn = await create_conn(host, int(port))
        answer = await conn.send(_CreateAcls(entries))
        conn.close()
        assert {code for code, _ in answer.creation_responses} == {0}


_TELL = "import json, sys; open(sys.argv[1], 'a').write(json.dumps(sys.argv[2:]) + chr(10))"


class _CreateAcls(Request[CreateAclsRequest_v1]):  # type: ignore[misc]
    API_KEY = 30

    def __init__(self, entries: list[tuple[object, ...]]) -> None:
        self._entries = entries

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        assert request_struct_class.RESPONSE_TYPE is CreateAclsResponse_v1
        return request_struct_class(self._entries)


def _entries(command: list[str]) -> list[tuple[object, ...]]:
    """Return the rules that a command of kafka-acls makes."""
    given: dict[str, list[str]] = {}
    for name, value in zip(command[::2], command[1::2], strict=True):
        given.setdefault(name, []).append(value)
    (principal,) = given.pop("--allow-principal")
    (pattern,) = given.pop("--resource-pattern-type", ["literal"])
    operations = given.pop("--operation")
    return [
        (_RESOURCES[kind], name, _PATTERNS[pattern], principal, "*", _OPERATIONS[operation], _ALLOW)
        for kind, names in given.items()
        for name in names
        for operation in operations
    ]


@asynccontextmanager
async def running_secure_kafka(home: Path, env_file: Mapping[str, str]) -> AsyncIterator[SecureKafka]:
    """Run a broker with the properties of the container, encrypted and with every mechanism beside its own."""
    jars = find_kafka(jars_directory())
    issuer = authority(home / "issuer.pem")
    names = ("client", "inside", "controller", "certified")
    ports = {name: remembered_port(home / f"{name}.port") for name in names}
    configuration = home / "server.properties"
    properties = _properties(properties_of(environment_of("kafka", env_file)), ports, issuer, home)
    configuration.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    await _format(jars, configuration, env_file, home)
    inside = f"{HOST}:{ports['inside']}"
    process = ServerProcess("kafka", home, stop_signals=(signal.SIGTERM,))
    command = (str(jars.java), *jars.loading, *_JAVA, "-cp", jars.classpath, "kafka.Kafka", str(configuration))
    await process.start(command, lambda: broker_answers(inside), within_s=_STARTED_WITHIN_S)
    try:
        yield SecureKafka(f"{HOST}:{ports['client']}", f"{HOST}:{ports['certified']}", inside, issuer)
    finally:
        await process.stop()


def _properties(
    of_container: dict[str, str], ports: Mapping[str, int], issuer: Authority, home: Path
) -> dict[str, str]:
    key, certificate, store = home / "broker.key", home / "broker.pem", home / "keystore.pem"
    issuer.issue("broker", key_file=key, certificate_file=certificate, hosts=(HOST,))
    store.write_text(key.read_text() + certificate.read_text())
    here = {"CLIENT": "client", "INSIDE": "inside", "CONTROLLER": "controller"}
    said = of_container["listeners"] + of_container["advertised.listeners"]
    assert all(f"{name}://" in said for name in here)
    listeners = {name: f"{name}://{HOST}:{ports[port]}" for name, port in {**here, "CERTIFIED": "certified"}.items()}
    seen = ",".join(listener for name, listener in listeners.items() if name != "CONTROLLER")
    protocols = of_container["listener.security.protocol.map"].replace("CLIENT:SASL_PLAINTEXT", "CLIENT:SASL_SSL")
    client = "listener.name.client"
    module = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        **of_container,
        "listeners": ",".join(listeners.values()),
        "advertised.listeners": seen,
        "listener.security.protocol.map": f"{protocols},CERTIFIED:SSL",
        "controller.quorum.voters": f"1@{HOST}:{ports['controller']}",
        f"{client}.sasl.enabled.mechanisms": ",".join(_MECHANISMS),
        f"{client}.scram-sha-256.sasl.jaas.config": module,
        f"{client}.scram-sha-512.sasl.jaas.config": module,
        f"{client}.oauthbearer.sasl.jaas.config": f"{_OAUTH}.OAuthBearerLoginModule required;",
        f"{client}.oauthbearer.sasl.server.callback.handler.class": (
            f"{_OAUTH}.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
        ),
        "listener.name.certified.ssl.client.auth": "required",
        "listener.name.certified.ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(issuer.file),
        "log.dirs": str(home / "log"),
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.num.partitions": "4",
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    }


async def _format(jars: KafkaJars, configuration: Path, env_file: Mapping[str, str], home: Path) -> None:
    users = [
        f"--add-scram={mechanism}=[name={name.removesuffix('_KAFKA_PASSWORD').lower()},password={password}]"
        for name, password in env_file.items()
        if name.endswith("_KAFKA_PASSWORD")
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
    ]
    tool = ("kafka.tools.StorageTool", "format", "--cluster-id=MkU3OEVBNTcwNTJENDM2Qg", "--config", str(configuration))
    await run_tool("kafka-storage", (str(jars.java), *jars.loading, "-cp", jars.classpath, *tool, *users), home)
