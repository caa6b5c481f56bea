"""What ends a process that serves: a consumer that cannot go on."""

import asyncio

import pytest
from fastapi import FastAPI

from services.ops.errors import CommandError
from services.ops.hosting.server import listen, serve


async def test_consumer_that_gives_up_ends_the_process_with_an_error() -> None:
    app, others, given_up = FastAPI(), asyncio.Event(), asyncio.Event()
    closed: list[str] = []
    app.state.closing = [lambda: closed.append("answers")]
    app.state.given_up = [others, given_up]
    with listen("127.0.0.1", 0) as listener, pytest.raises(CommandError, match="paused as often as it may") as ended:
        await serve(app, listener, given_up.set)
    assert ended.value.exit_code != 0
    assert closed == ["answers"]
