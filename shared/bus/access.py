"""Whether a broker answers, and lets a service do its work: asked at the start, and again and again.

Kafka's clients take a refusal for a failure that passes and try for ever: whoever starts a process would see it wait.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from shared.bus.connection import BrokerRefuses, Connection, SaslMechanism, SecurityProtocol

ASKED_WITHIN_S: Final = 10.0
# What is allowed comes as bits, at the places of the operations in Kafka's protocol.
_READ, _WRITE = 3, 4
_OF_GROUPS: Final = 0
_REFUSED = (SaslAuthenticationFailed, UnsupportedSaslMechanismError, IllegalSaslStateError)
# `X509_V_ERR_HOSTNAME_MISMATCH` and its like for an address.
_OTHER_HOST: Final = {62, 64}


@dataclass(frozen=True, slots=True)
class Needs:
    """What a service has to be allowed: topics that it reads and writes, and consumer groups that it joins."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", String()), ("port", Int32), ("rack", String()))),
        ("cluster_id", String()),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String()),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataRequest(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(String())),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _AllowedOperations(Request[_MetadataRequest]):  # type: ignore[misc]
    """Asks what we are allowed on topics: aiokafka's own request has no room for it."""

    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequest]) -> _MetadataRequest:
        """Return the request; nothing is created by it."""
        return request_struct_class(self._topics, False, False, True)


async def check_access(connection: Connection, needs: Needs) -> None:
    """Ask the first broker that answers whether it lets us in, and to what; with PLAINTEXT nobody is asked.

    Raises
    ------
    BrokerRefuses
        If it doesn't, or is not who it should be. A broker that is away refuses nothing.
    """
    if connection.protocol is SecurityProtocol.PLAINTEXT:
        return
    for address in connection.bootstrap_servers.split(","):
        with contextlib.suppress(OSError, TimeoutError, KafkaError):
            async with asyncio.timeout(ASKED_WITHIN_S), _connected(connection, address.strip()) as conn:
                missing = [*await _lacking_on_topics(conn, needs), *await _lacking_on_groups(conn, needs)]
                if missing:
                    who = _who(connection)
                    raise BrokerRefuses(
                        f"{who} is not allowed by {address}: {', '.join(missing)}; deploy/kafka/acls.sh has the rules"
                    )
                return


async def broker_answers(connection: Connection, *, within_s: float) -> bool:
    """Tell whether a broker answers a question of now.

    It has a connection of its own: on a consumer's, Kafka would answer when the fetch before it has waited to its end.
    """
    for address in connection.bootstrap_servers.split(","):
        with contextlib.suppress(BrokerRefuses, OSError, TimeoutError, KafkaError):
            async with asyncio.timeout(within_s), _connected(connection, address.strip()):
                return True
    return False


@contextlib.asynccontextmanager
async def _connected(connection: Connection, address: str) -> AsyncIterator[AIOKafkaConnection]:
    host, _, port = address.rpartition(":")
    options = {name: value for name, value in connection.options().items() if name != "bootstrap_servers"}
    try:
        conn = await create_conn(host.strip("[]"), int(port), client_id="access", **options)
    except ssl.SSLCertVerificationError as error:
        raise BrokerRefuses(_certificate_refused(connection, address, error)) from error
    except _REFUSED as error:
        raise BrokerRefuses(_credentials_refused(connection, address, str(error))) from error
    try:
        yield conn
    except KafkaConnectionError as error:
        # Kafka says what is wrong with a token only to who answers that, and ends the connection at the next request.
        if connection.mechanism is SaslMechanism.OAUTHBEARER:
            raise BrokerRefuses(_credentials_refused(connection, address, "the token is refused")) from error
        raise
    finally:
        conn.close()


def _certificate_refused(connection: Connection, address: str, error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _OTHER_HOST:
        return f"the certificate of {address} is another's ({error.verify_message}); set BOOTSTRAP_SERVERS to its name"
    trusted = connection.ca_file or "the system's"
    return f"the certificate of {address} is not trusted ({error.verify_message}); set KAFKA_CA_FILE, was {trusted}"


def _credentials_refused(connection: Connection, address: str, why: str) -> str:
    if connection.mechanism is SaslMechanism.OAUTHBEARER:
        settings = "KAFKA_TOKEN_FILE, or KAFKA_TOKEN_URL, KAFKA_USERNAME and KAFKA_PASSWORD"
    else:
        settings = f"KAFKA_SASL_MECHANISM, KAFKA_USERNAME and {connection.named}"
    return f"{address} refuses {_who(connection)}: {why}; set {settings}"


def _who(connection: Connection) -> str:
    how = f"{connection.protocol} {connection.mechanism}" if connection.mechanism else str(connection.protocol)
    return f"{connection.username or 'our certificate'} ({how})"


async def _lacking_on_topics(conn: AIOKafkaConnection, needs: Needs) -> list[str]:
    named = sorted(needs.reads | needs.writes)
    if not named:
        return []
    answer: Any = await conn.send(_AllowedOperations(named))
    return sorted(
        lack
        for code, topic, _internal, _partitions, operations in answer.topics
        for lack in _lacking(needs, topic, operations, refused=code == TopicAuthorizationFailedError.errno)
    )


def _lacking(needs: Needs, topic: str, operations: int, *, refused: bool) -> Iterator[str]:
    # A broker that doesn't tell what is allowed says so with a negative number.
    for verb, wanted, bit in (("read", needs.reads, _READ), ("write", needs.writes, _WRITE)):
        if topic in wanted and (refused or (operations >= 0 and not operations >> bit & 1)):
            yield f"to {verb} topic {topic}"


async def _lacking_on_groups(conn: AIOKafkaConnection, needs: Needs) -> list[str]:
    lacking = []
    for group in sorted(needs.groups):
        answer: Any = await conn.send(FindCoordinatorRequest(group, _OF_GROUPS))
        if answer.error_code == GroupAuthorizationFailedError.errno:
            lacking.append(f"to join group {group}")
    return lacking
