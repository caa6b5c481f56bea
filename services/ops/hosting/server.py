"""Serving an application until the process is told to stop."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.ops.errors import CommandError, Misused

# How long a connection may take to say what it wants.
HEADERS_WITHIN_S = 30.0
# A signal so long after the first one breaks the stop off; some send two at once.
FORCED_AFTER_S = 2.0
FORCED: Final = 130
# How long a stop waits for answers that are being written.
_ANSWERS_WITHIN_S = 5


class _Protocol(H11Protocol):
    """HTTP that ends connections whose request does not come: each of them costs a descriptor."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait no more when a request has begun."""
        super().data_received(data)
        if self._waiting is not None and self.cycle is not None and not self.cycle.response_complete:
            self._waiting.cancel()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = self.loop.call_later(HEADERS_WITHIN_S, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        if self._waiting is not None:
            self._waiting.cancel()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, which end the process with the signal instead of code 0."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to us."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        self._on_listening()


def listen(host: str, port: int) -> socket.socket:
    """Take a port before anything else is started; 0 takes a free one.

    Raises
    ------
    Misused
        If it is taken, or not ours to take.
    """
    # By its protocol asyncio knows that an answer is not to wait until the last packet was acknowledged: 40 ms each.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise Misused(f"cannot listen on {host}:{port} ({error.strerror}); choose another port with --port") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL under which this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


async def serve(app: FastAPI, listener: socket.socket, on_listening: Callable[[], None]) -> None:
    """Run the application, its services included, until cancelled; then let what is in hand finish.

    Raises
    ------
    CommandError
        If a service cannot go on in this process: who supervises it starts another one.
    """
    config = uvicorn.Config(
        app,
        lifespan="off",
        http=_Protocol,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_ANSWERS_WITHIN_S,
    )
    async with app.router.lifespan_context(app):
        server = _Server(config, on_listening)
        serving = asyncio.create_task(server.serve([listener]))
        giving_up = [asyncio.create_task(given_up.wait()) for given_up in app.state.given_up]
        try:
            await asyncio.wait([serving, *giving_up], return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                raise CommandError("a service cannot go on here, see the log: the process ends")
        finally:
            for waiting in giving_up:
                waiting.cancel()
            for close in app.state.closing:
                close()
            server.should_exit = True
            await serving


def run_until_told_to_stop(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` until it ends or SIGINT or SIGTERM cancels it; a stop that was asked for is no failure.

    A second signal ends a process whose stop takes too long, with exit code `FORCED`.
    """
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_cancelled_by_signal(main))


async def _cancelled_by_signal(main: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(main)
    loop = asyncio.get_running_loop()

    first: float | None = None

    def stop() -> None:
        nonlocal first
        if first is None:
            first = loop.time()
            task.cancel()
        elif loop.time() - first >= FORCED_AFTER_S:
            # As if it had been killed: what is in hand is delivered again.
            os._exit(FORCED)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await task
