"""Serving: what ends the process, and what ends a connection."""

import asyncio
import signal
import socket
import subprocess
import sys

import pytest
from fastapi import FastAPI

from services.ops.errors import CommandError
from services.ops.hosting import server
from services.ops.hosting.server import FORCED, listen, serve


async def test_consumer_that_gives_up_ends_the_process_with_an_error() -> None:
    app, others, given_up = FastAPI(), asyncio.Event(), asyncio.Event()
    closed: list[str] = []
    app.state.closing = [lambda: closed.append("answers")]
    app.state.given_up = [others, given_up]
    with listen("127.0.0.1", 0) as listener, pytest.raises(CommandError, match="a service cannot go on here") as ended:
        await serve(app, listener, given_up.set)
    assert ended.value.exit_code != 0
    assert closed == ["answers"]


async def test_connection_whose_request_does_not_come_is_closed_and_others_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "HEADERS_WITHIN_S", 0.1)
    app, listening = FastAPI(), asyncio.Event()
    app.state.closing, app.state.given_up = [], []
    answering = asyncio.Event()

    @app.get("/slow")
    async def slow() -> str:
        await answering.wait()
        return "after all"

    request = b"GET /slow HTTP/1.1\r\nHost: here\r\n\r\n"
    with listen("127.0.0.1", 0) as listener:
        serving = asyncio.create_task(serve(app, listener, listening.set))
        await listening.wait()
        address = listener.getsockname()

        async def connected(sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            # It is there before the server looks for it, however busy the machine is.
            connection = socket.create_connection(address)
            connection.send(sent)
            return await asyncio.open_connection(sock=connection)

        reader, writer = await connected(request)
        silent, _ = await connected(b"")
        dripping, _ = await connected(request[:20])
        assert (await silent.read(), await dripping.read()) == (b"", b"")

        # The answer takes longer than a request may: that is another matter. The next request has its time again.
        monkeypatch.setattr(server, "HEADERS_WITHIN_S", 0.5)
        answering.set()
        assert b"after all" in await reader.readuntil(b'after all"')
        writer.write(request[:20])
        await writer.drain()
        assert await reader.read() == b""
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving


_HANGS = """
import asyncio
import signal
import subprocess
import sys
from services.ops.hosting import server

async def main():
    print("runs", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("stops", flush=True)
        await asyncio.Event().wait()

server.FORCED_AFTER_S = 0
server.run_until_told_to_stop(main())
"""


def _hanging() -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", _HANGS], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stops\n"
    return process


def test_stop_that_hangs_is_broken_off_by_a_second_signal() -> None:
    process = _hanging()
    process.send_signal(signal.SIGTERM)
    assert process.wait() == FORCED


async def test_answer_does_not_wait_until_the_last_packet_was_acknowledged() -> None:
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = listen("127.0.0.1", 0)
    async with await asyncio.start_server(note, sock=listener):
        _, asking = await asyncio.open_connection(*listener.getsockname())
        assert await accepted != 0
        asking.close()
