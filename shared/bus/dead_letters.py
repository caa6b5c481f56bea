"""Dead letters: the original bytes and headers, with the cause and the origin, on ``<topic>.dlq``."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from shared.contracts.catalogue import dead_letter_topic
from shared.db.outbox import OutboxRow

MAX_DETAIL = 2_000


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it came from the broker."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str]


def dead_letter(letter: Letter, *, consumer: str, error: BaseException, attempts: int) -> OutboxRow:
    """Return the message for the dead-letter topic."""
    origin = {
        "dlq-consumer": consumer,
        "dlq-topic": letter.topic,
        "dlq-partition": str(letter.partition),
        "dlq-offset": str(letter.offset),
        "dlq-attempts": str(attempts),
        "dlq-reason": type(error).__name__,
        "dlq-detail": storable(str(error))[:MAX_DETAIL],
    }
    headers = {**letter.headers, **origin}
    return OutboxRow(dead_letter_topic(letter.topic), letter.key, letter.value, headers, run_of(letter))


def run_of(letter: Letter) -> UUID | None:
    """Return the run that the message says it belongs to, if it says so."""
    try:
        return UUID(letter.headers.get("ce_subject", "").partition("/")[0])
    except ValueError:
        return None


def storable(text: str) -> str:
    """Return the text as PostgreSQL can keep it: without NUL and lone surrogates."""
    return text.encode(errors="replace").decode().replace("\x00", "\ufffd")
