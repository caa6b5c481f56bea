"""The key with which a request may be repeated."""

from typing import Annotated

from fastapi import Header

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="the same request with the same key does nothing more, and is answered with what it did first",
        examples=["import of 2022-12-28, first book"],
    ),
]
