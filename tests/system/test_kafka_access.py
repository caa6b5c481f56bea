"""Kafka that asks who is there: each service gets what it needs and nothing else, and a refusal is an error at once."""

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from pydantic import SecretStr

from services.ops.documents.unconnected import unconnected_services
from shared.bus.access import Needs, check_access
from shared.bus.broker import create_topics
from shared.bus.connection import BrokerRefuses, Connection, SaslMechanism, SecurityProtocol
from shared.bus.tokens import TokenFile
from shared.contracts.catalogue import TopicLayout, all_topics
from shared.contracts.services import SERVICES
from shared.service import needs_of
from tests.support.certificates import authority
from tests.support.compose import example_environment
from tests.support.containers import Containers
from tests.support.databases import migrated_database
from tests.support.digests import digest_results
from tests.support.secure_kafka import HOST, SecureKafka, running_secure_kafka
from tests.support.stack import Servers, run_postgres, wanted_broker

pytestmark = pytest.mark.skipif(wanted_broker() != "kafka", reason="the rules are those of Apache Kafka")

# Each its own, as an operator would have replaced them.
ENV_FILE = {
    name: f"secret-of-{name.lower()}" if name.endswith("_PASSWORD") else value
    for name, value in example_environment().items()
}


_UNSIGNED = {"alg": "none"}


@cache
def needs(service: str) -> Needs:
    return {each.name: needs_of(each) for each in unconnected_services()}[service]


def password_of(user: str) -> str:
    return ENV_FILE[f"{user.upper()}_KAFKA_PASSWORD"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secure-kafka")


@pytest.fixture(scope="module")
async def kafka(broker_kind: str, home: Path) -> AsyncIterator[SecureKafka]:
    async with running_secure_kafka(home, ENV_FILE) as running:
        await running.allow(home)
        await create_topics(connection(running, "migrate"), TopicLayout(partitions=2))
        yield running


def connection(kafka: SecureKafka, user: str, **changed: Any) -> Connection:
    told = Connection(
        kafka.address,
        protocol=SecurityProtocol.SASL_SSL,
        mechanism=SaslMechanism.PLAIN,
        username=user,
        password=SecretStr(password_of(user)),
        named=f"{user.upper()}_KAFKA_PASSWORD",
        ca_file=kafka.issuer.file,
    )
    return replace(told, **changed)


def unsigned_token(subject: str) -> str:
    """Return a token that the broker of a test believes."""
    claims = {"sub": subject, "iat": 0, "exp": 4_000_000_000}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (_UNSIGNED, claims)]
    return f"{parts[0]}.{parts[1]}."


@asynccontextmanager
async def administering(connection: Connection) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection.options())
    await admin.start()
    yield admin
    await admin.close()


@pytest.mark.parametrize("mechanism", SaslMechanism)
async def test_service_is_let_in_by_every_mechanism(kafka: SecureKafka, home: Path, mechanism: SaslMechanism) -> None:
    (home / "token").write_text(unsigned_token("risk"))
    tokens = TokenFile(home / "token") if mechanism is SaslMechanism.OAUTHBEARER else None
    risk = connection(kafka, "risk", mechanism=mechanism, tokens=tokens)

    await check_access(risk, needs("risk"))
    async with AIOKafkaProducer(**risk.options()) as producer:
        assert await producer.partitions_for("risk.due")


async def test_service_is_let_in_by_its_certificate(kafka: SecureKafka, home: Path) -> None:
    key, certificate = home / "risk.key", home / "risk.pem"
    kafka.issuer.issue("risk", key_file=key, certificate_file=certificate)
    risk = Connection(
        kafka.certified,
        protocol=SecurityProtocol.SSL,
        ca_file=kafka.issuer.file,
        certificate_file=certificate,
        key_file=key,
    )
    await check_access(risk, needs("risk"))
    with pytest.raises(
        BrokerRefuses, match=r"our certificate .SSL. is not allowed by .*: to write topic prices.updated"
    ):
        await check_access(risk, Needs(writes=frozenset({"prices.updated"})))


@pytest.mark.parametrize("mechanism", SaslMechanism)
async def test_wrong_credentials_are_refused_with_what_to_set_and_without_the_secret(
    kafka: SecureKafka, home: Path, mechanism: SaslMechanism
) -> None:
    (home / "wrong").write_text("no token at all")
    tokens = TokenFile(home / "wrong") if mechanism is SaslMechanism.OAUTHBEARER else None
    wrong = connection(kafka, "risk", mechanism=mechanism, password=SecretStr("hunter2"), tokens=tokens)

    with pytest.raises(BrokerRefuses) as refused:
        await check_access(wrong, needs("risk"))

    said = str(refused.value)
    assert said.startswith(f"{kafka.address} refuses risk (SASL_SSL {mechanism}): ")
    expected = "KAFKA_TOKEN_FILE" if tokens else "set KAFKA_SASL_MECHANISM, KAFKA_USERNAME and RISK_KAFKA_PASSWORD"
    assert expected in said
    assert "hunter2" not in said


async def test_broker_whose_certificate_another_has_issued_is_refused(kafka: SecureKafka, home: Path) -> None:
    stranger = authority(home / "stranger.pem")
    with pytest.raises(BrokerRefuses, match=f"is not trusted .*; set KAFKA_CA_FILE, was {stranger.file}"):
        await check_access(connection(kafka, "risk", ca_file=stranger.file), Needs())


async def test_broker_with_the_certificate_of_another_host_is_refused(kafka: SecureKafka) -> None:
    address = kafka.address.replace(HOST, "127.0.0.1")
    with pytest.raises(BrokerRefuses, match=rf"certificate of {address} is another's .*; set BOOTSTRAP_SERVERS"):
        await check_access(connection(kafka, "risk", bootstrap_servers=address), Needs())


async def test_file_that_is_no_certificate_is_refused(kafka: SecureKafka, home: Path) -> None:
    (home / "none.pem").write_text("no certificate")
    with pytest.raises(BrokerRefuses, match=r"none.pem cannot be used .*; set KAFKA_CA_FILE"):
        await check_access(connection(kafka, "risk", ca_file=home / "none.pem"), Needs())


@pytest.mark.parametrize("service", SERVICES)
async def test_service_is_allowed_all_that_it_needs(kafka: SecureKafka, service: str) -> None:
    await check_access(connection(kafka, service), needs(service))


@pytest.mark.parametrize("service", SERVICES)
async def test_service_writes_no_topic_but_its_own(kafka: SecureKafka, service: str) -> None:
    foreign = sorted(set(all_topics()) - needs(service).writes)
    assert foreign
    async with AIOKafkaProducer(**connection(kafka, service).options()) as producer:
        for topic in foreign:
            with pytest.raises(TopicAuthorizationFailedError):
                await producer.send_and_wait(topic, b"forged")
    with pytest.raises(BrokerRefuses) as refused:
        await check_access(connection(kafka, service), Needs(writes=frozenset(foreign)))
    assert re.findall(r"to write topic ([\w.]+)[,;]", str(refused.value)) == foreign


@pytest.mark.parametrize("service", SERVICES)
async def test_service_reads_no_topic_but_those_it_listens_to(kafka: SecureKafka, service: str) -> None:
    foreign = set(all_topics()) - needs(service).reads
    assert foreign
    async with administering(connection(kafka, service)) as admin:
        # What it writes it sees.
        assert set(await admin.list_topics()) == needs(service).reads | needs(service).writes
    for topic in sorted(foreign & needs(service).writes):
        consumer = AIOKafkaConsumer(topic, group_id=f"{service}.curious", **connection(kafka, service).options())
        async with consumer:
            with pytest.raises(TopicAuthorizationFailedError):
                await consumer.getone()


@pytest.mark.parametrize("service", SERVICES)
async def test_service_joins_no_group_of_another_and_administers_nothing(kafka: SecureKafka, service: str) -> None:
    (topic,) = sorted(needs(service).reads)[:1]
    for other in set(SERVICES) - {service}:
        consumer = AIOKafkaConsumer(topic, group_id=f"{other}.store_prices", **connection(kafka, service).options())
        with pytest.raises(GroupAuthorizationFailedError):
            await consumer.start()
        await consumer.stop()
    async with administering(connection(kafka, service)) as admin:
        answer = await admin.create_topics([NewTopic(f"{service}.own", 1, 1)])
        assert [code for _, code, *_ in answer.topic_errors] == [TopicAuthorizationFailedError.errno]
        answer = await admin.delete_topics([topic])
        assert [code for _, code in answer.topic_error_codes] == [TopicAuthorizationFailedError.errno]


async def test_topics_are_made_by_nobody_but_migrate(kafka: SecureKafka) -> None:
    assert await create_topics(connection(kafka, "migrate"), TopicLayout(partitions=2)) == ()
    with pytest.raises(BrokerRefuses, match=r"risk may not create topic .*acls.sh lets KAFKA_USERNAME=migrate"):
        await create_topics(connection(kafka, "risk"), TopicLayout(partitions=2))


async def test_service_that_is_refused_ends_with_an_error_at_once(kafka: SecureKafka, postgres: Servers) -> None:
    command = [str(Path(sys.executable).with_name("sigmasight")), "serve", "risk", "--port", "0"]
    async with migrated_database(postgres, ["risk"]) as database:
        environment = {
            **os.environ,
            "BOOTSTRAP_SERVERS": kafka.address,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_CA_FILE": str(kafka.issuer.file),
            "RISK_KAFKA_PASSWORD": "hunter2",
            "RISK_DATABASE_URL": database.url("risk").get_secret_value(),
            "DATABASE_URL": database.admin_url,
            "VIEWER_TOKEN": "v",
            "OPERATOR_TOKEN": "o",
        }
        done = await asyncio.to_thread(
            subprocess.run, command, env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 2
    assert f"sigmasight: {kafka.address} refuses risk (SASL_SSL PLAIN)" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


CSV = (
    "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class\n"
    "AAPL,100,80.00,2022-12-01,PUBLIC\nMSFT,50,200.00,2022-12-01,PUBLIC\n"
)
# What is done is what the test asks for.
QUIET = {"BATCH_PROCESSING_ENABLED": "false", "MAX_BACKFILL_DATES": "0"}


@pytest.fixture
async def containers(kafka: SecureKafka, home: Path) -> AsyncIterator[Containers]:
    """The containers of compose beside its broker, which here encrypts what is said."""
    async with run_postgres() as servers:
        url = urlsplit(servers.database_url)
        env_file = {**ENV_FILE, **QUIET, "POSTGRES_PASSWORD": str(url.password), "MARKET_DATA_PROVIDERS": "sample"}
        hosts = {"kafka:9092": kafka.address, "postgres:5432": f"127.0.0.1:{url.port}"}
        encrypted = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_CA_FILE": str(kafka.issuer.file)}
        started = Containers(home, env_file, hosts, encrypted)
        try:
            yield started
        finally:
            started.stop()


@pytest.mark.timeout(900)
async def test_night_through_the_containers_each_with_its_own_rights_only(containers: Containers) -> None:
    await containers.run("migrate")
    for service in SERVICES:
        others = {value for name, value in containers.env_file.items() if name.endswith("_PASSWORD") and value}
        known = others & set(containers.environment(service).values())
        assert known == {password_of(service), containers.env_file[f"{service.upper()}_DATABASE_PASSWORD"]}
    # One after the other: loading takes all cores that there are.
    for service in SERVICES:
        await containers.start(service)

    entered = await containers.api("portfolio").import_portfolio(
        "ours", CSV, opening_equity="100000.00", opened_on="2022-12-01", as_of="2022-12-20"
    )
    assert (await containers.api("scheduler").ended(entered["run_id"]))["status"] == "completed"
    night = await containers.api("scheduler").run(kind="nightly", last_session="2022-12-28")
    assert night["status"] == "completed", night

    url = containers.environment("migrate")["DATABASE_URL"]
    assert {name: digest.rows for name, digest in (await digest_results(url)).items() if not digest.rows} == {}
    assert containers.stop() == dict.fromkeys(SERVICES, 0)
