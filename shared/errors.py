"""What went wrong decides what happens to the message: the exception class is the instruction.

::

    Exception
    ├── PoisonEvent          dead letter, go on
    │   ├── InvalidEvent     the bytes are no event of this topic
    │   ├── ContradictingTotal  its stage has another number of parts
    │   └── EventTooLarge    what follows from it is more than a message holds
    ├── TransientError       retry with pauses, then leave for redelivery
    └── anything else        a bug: roll back, retry, then dead letter with an alert
"""

import asyncpg
import pydantic
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# serialization failure, deadlock, lock timeout, shutdown, too many connections, connection failures, out of space
_TRANSIENT_SQLSTATES = ("40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53")

# What the driver says of a database that refuses or is gone; the last, of a connection ended between two of its steps.
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class PoisonEvent(Exception):
    """A message that can never be processed."""


class InvalidEvent(PoisonEvent):
    """The bytes are not an event that this consumer reads."""


class ContradictingTotal(PoisonEvent):
    """A part says that its stage has another number of parts than one before it has said."""

    def __init__(self, topic: str, total: int, *, said_before: int) -> None:
        self.said_before = said_before
        super().__init__(f"{topic} must have {said_before} parts as was said before, was {total}")


class EventTooLarge(PoisonEvent):
    """An event is larger than any broker takes a message."""

    def __init__(self, topic: str, size: int, *, largest: int) -> None:
        super().__init__(f"an event of {topic} must have at most {largest} bytes, was {size}")


class TransientError(Exception):
    """The world failed; the same message may succeed later."""


def is_poison(error: BaseException) -> bool:
    """Tell whether trying again is pointless."""
    return isinstance(error, PoisonEvent | pydantic.ValidationError)


def is_transient(error: BaseException) -> bool:
    """Tell whether the same message may succeed later without anyone's help."""
    if isinstance(error, TransientError | OSError | TimeoutError | PoolTimeout | InterfaceError | OperationalError):
        return True
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError | asyncpg.PostgresConnectionError):
        return True
    if isinstance(error, DBAPIError):
        sqlstate = str(getattr(error.orig, "sqlstate", "") or "")
        return error.connection_invalidated or sqlstate.startswith(("08", *_TRANSIENT_SQLSTATES))
    sqlstate = str(getattr(error, "sqlstate", "") or "")
    return sqlstate.startswith(("08", *_TRANSIENT_SQLSTATES))
