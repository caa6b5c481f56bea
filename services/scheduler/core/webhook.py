"""How a webhook is signed, and when it is tried again: https://www.standardwebhooks.com, version 1."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

# A receiver that is away for a day hears of it all the same.
PAUSES: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200)
)
_KEY_BYTES: Final = range(24, 65)


class WebhookType(StrEnum):
    """What somebody outside may want to hear of; overdue: parts never came before their deadline."""

    COMPLETED = "run.completed"
    FAILED = "run.failed"
    OVERDUE = "run.overdue"


def pause_after(attempts: int) -> timedelta | None:
    """Return how long to wait after so many attempts; None: it is given up."""
    return PAUSES[attempts - 1] if attempts <= len(PAUSES) else None


def signing_key(secret: str) -> bytes:
    """Return the key of a secret as the standard writes it: base64, after ``whsec_``.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise ValueError("must be base64, with or without the prefix whsec_") from None
    if len(key) not in _KEY_BYTES:
        raise ValueError(f"must be {_KEY_BYTES[0]} to {_KEY_BYTES[-1]} bytes in base64, was {len(key)}")
    return key


def signed_headers(delivery_id: UUID | str, body: bytes, *, key: bytes, at: datetime) -> Mapping[str, str]:
    """Return the headers by which a receiver can tell that the body is ours, new, and whether it has it already.

    Parameters
    ----------
    delivery_id : UUID or str
        The same at every attempt.
    body : bytes
        As it is sent.
    key : bytes
        Shared with the receiver.
    at : datetime
        When it is sent: what is old is refused.
    """
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(key, f"{delivery_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": str(delivery_id),
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        "content-type": "application/json",
    }
