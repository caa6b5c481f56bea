"""The processes that share the work with the one with the port: watched, and started again when they end."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import httpx
import structlog

from services.market_data.settings import MarketDataSettings
from services.ops.errors import CommandError
from services.ops.hosting.embedded.process import end_with_parent
from services.ops.hosting.embedded.restarts import Restarts
from shared.contracts.services import SERVICES
from shared.settings import CommonSettings

log = structlog.get_logger("workers")

# Longer than a consumer takes to end the message in hand.
_STOPPED_WITHIN_S: Final = 40.0
_ANSWERS_WITHIN_S: Final = 4.0
# A night takes every core there is: who waits for an answer goes before it.
_NICER_BY: Final = 10
# Threads that compute by turns need no heap each, eight a core: what is free in one is of no use to the others.
_MEMORY: Final = {"MALLOC_ARENA_MAX": "2"}


@dataclass(slots=True, kw_only=True)
class Worker:
    """`serve` of every service in a process of its own.

    Attributes
    ----------
    number : int
        Which of the processes that share the work.
    port : int
        Where it tells of its health and its metrics, on the loopback interface.
    options : sequence of str
        For the command line, beside the port.
    environment : mapping of str to str
        Settings of the services, beside those that we have ourselves.
    """

    number: int
    port: int
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    _state: str = field(default="has not begun yet", init=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    async def run(self) -> None:
        """Run it until cancelled, again and again.

        Raises
        ------
        CommandError
            If it has ended as often as it may.
        """
        restarts = Restarts()
        while True:
            restarts.begun()
            code = await self._run_once()
            restarts.ended()
            self._state = f"ended with code {code}"
            log.error("worker ended", number=self.number, code=code, ends=restarts.ends)
            if restarts.are_too_many:
                raise CommandError(f"process {self.number} {self._state} as often as it may, see the log")
            await restarts.pause()

    async def _run_once(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.ops", "serve", *SERVICES, "--port", str(self.port), *self.options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            env={**_MEMORY, **os.environ, **self.environment},
            # Its own session: Ctrl-C in the terminal reaches us alone.
            start_new_session=True,
            preexec_fn=_behind_answers(end_with_parent(os.getpid(), signal.SIGTERM)),
        )
        self._state = f"does not answer (pid {process.pid})"
        log.info("worker begins", number=self.number, pid=process.pid, url=self.url)
        try:
            return await process.wait()
        finally:
            await _stop(process)

    async def troubles(self) -> list[str]:
        """Return what keeps it from working, as it says itself, or why it does not."""
        # Nobody else is asked, and nothing of the environment says how.
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=_ANSWERS_WITHIN_S) as client:  # noqa: S501
            try:
                answer = await client.get(f"{self.url}/health/ready")
            except httpx.HTTPError:
                return [f"process {self.number} {self._state}"]
        return [] if answer.is_success else [f"process {self.number}: {answer.json()['detail']}"]


def _behind_answers(bind: Callable[[], None] | None) -> Callable[[], None]:
    """Return what is to be called in the child before it executes: it gives way to the process that answers."""

    def begin() -> None:
        os.nice(_NICER_BY)
        if bind is not None:
            bind()

    return begin


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STOPPED_WITHIN_S):
            process.terminate()
            await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()


class Beside(Protocol):
    """What runs beside the process with the port."""

    async def run(self) -> None:
        """Run until cancelled, or until it cannot go on."""

    async def troubles(self) -> list[str]:
        """Return what keeps it from working."""
        ...


async def run_beside(workers: Sequence[Beside], main: Coroutine[Any, Any, None]) -> None:
    """Run `main` until it ends or is cancelled, and the workers beside it; all of them stop at once.

    Raises
    ------
    CommandError
        If `main` or a worker cannot go on.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker.run())
            group.create_task(main)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def environment_of(common: CommonSettings, sources: MarketDataSettings) -> dict[str, str]:
    """Return the settings of a worker as the environment that it reads them from."""
    environment = {name.upper(): value for name, value in servers_of(common).items()}
    environment["MARKET_DATA_PROVIDERS"] = ",".join(sources.providers)
    if sources.files_dir is not None:
        environment["MARKET_DATA_FILES_DIR"] = str(sources.files_dir)
    return environment


def servers_of(common: CommonSettings) -> dict[str, str]:
    """Return which servers a platform uses, as text that the same settings are read from."""
    password, key = common.service_database_password, common.session_key
    return {
        "database_url": common.database_url.get_secret_value(),
        **({} if password is None else {"service_database_password": password.get_secret_value()}),
        **({} if key is None else {"session_key": key.get_secret_value()}),
        "bootstrap_servers": common.bootstrap_servers,
        "broker": common.broker.value,
        "kafka_security_protocol": common.kafka_security_protocol.value,
        "factor_set": common.factor_set.model_dump_json(),
        "viewer_token": common.viewer_token.get_secret_value(),
        "operator_token": common.operator_token.get_secret_value(),
    }
