"""What a webhook carries and how it is signed: https://www.standardwebhooks.com, version 1."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

# A receiver that is down for a day hears of it all the same.
PAUSES: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200)
)


class WebhookEvent(StrEnum):
    """What somebody outside may want to hear of."""

    COMPLETED = "run.completed"
    FAILED = "run.failed"
    OVERDUE = "run.overdue"


def pause_after(attempts: int) -> timedelta | None:
    """Return how long to wait after so many attempts; None: it is given up."""
    return PAUSES[attempts - 1] if attempts <= len(PAUSES) else None


def signed_headers(delivery_id: UUID, body: bytes, *, secret: str, at: datetime) -> Mapping[str, str]:
    """Return the headers that let a receiver tell that the body is ours, and new.

    Parameters
    ----------
    delivery_id : UUID
        The same at every attempt: who has it already can skip it.
    body : bytes
        As it is sent.
    secret : str
        Shared with the receiver: base64, with or without the prefix ``whsec_``.
    at : datetime
        When it is sent; receivers refuse what is old.

    Raises
    ------
    ValueError
        If the secret is not base64.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    timestamp = str(int(at.timestamp()))
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": str(delivery_id),
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
        "content-type": "application/json",
    }
