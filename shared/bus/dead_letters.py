"""Dead letters: the original bytes and headers, with the cause and the origin, on ``<topic>.dlq``.

A message that is sent again goes to its own topic, for the one consumer that could not process it; whether it could
then is said on ``<topic>.dlq``, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from shared.contracts.catalogue import dead_letter_topic
from shared.db.outbox import OutboxRow

MAX_DETAIL = 2_000
# Which sending of a message this is: a consumer takes each once.
REPLAY_HEADER = "replay-id"
# The only service that a message is for.
SERVICE_HEADER = "replay-service"
# The only consumer that a message is for.
ADDRESSEE_HEADER = "replay-for"
# On the letter: the run was told that this part failed, and has gone on without it.
REPORTED_HEADER = "dlq-reported"
# Instead of a letter: the message that was sent again has been processed.
SETTLED_HEADER = "dlq-settled"
_OWN = "dlq-"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it came from the broker."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str]


def dead_letter(letter: Letter, *, consumer: str, error: BaseException, attempts: int, reported: bool) -> OutboxRow:
    """Return the message for the dead-letter topic; `reported` if the run hears that this part has failed."""
    cause = {
        "dlq-attempts": str(attempts),
        "dlq-reason": type(error).__name__,
        "dlq-detail": storable(str(error))[:MAX_DETAIL],
    }
    if reported:
        cause[REPORTED_HEADER] = "yes"
    headers = {**letter.headers, **_origin(letter, consumer), **cause}
    return OutboxRow(dead_letter_topic(letter.topic), letter.key, letter.value, headers, run_of(letter))


def settlement(letter: Letter, *, consumer: str) -> OutboxRow:
    """Return what is said on the dead-letter topic when a message that was sent again has been processed."""
    headers = {**letter.headers, **_origin(letter, consumer), SETTLED_HEADER: "yes"}
    return OutboxRow(dead_letter_topic(letter.topic), letter.key, b"", headers, run_of(letter))


def _origin(letter: Letter, consumer: str) -> dict[str, str]:
    return {
        "dlq-consumer": consumer,
        "dlq-topic": letter.topic,
        "dlq-partition": str(letter.partition),
        "dlq-offset": str(letter.offset),
    }


def sent_again(letter: Letter, *, consumer: str, replay_id: UUID) -> OutboxRow:
    """Return a message as it first was, for one consumer only."""
    headers = {name: value for name, value in letter.headers.items() if not name.startswith(_OWN)}
    headers |= {REPLAY_HEADER: str(replay_id), ADDRESSEE_HEADER: consumer}
    return OutboxRow(letter.topic, letter.key, letter.value, headers, run_of(letter))


def is_sent_again(letter: Letter) -> bool:
    """Tell whether somebody waits to hear what becomes of the message."""
    return ADDRESSEE_HEADER in letter.headers and REPLAY_HEADER in letter.headers


def run_of(letter: Letter) -> UUID | None:
    """Return the run that the message says it belongs to, if it says so."""
    try:
        return UUID(letter.headers.get("ce_subject", "").partition("/")[0])
    except ValueError:
        return None


def storable(text: str) -> str:
    """Return the text as PostgreSQL can keep it: without NUL and lone surrogates."""
    return text.encode(errors="replace").decode().replace("\x00", "\ufffd")
