"""Services as a process that is forked in a moment, to die in the middle of its work."""

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from services.market_data.settings import MarketDataSettings
from services.ops.composition import build_services
from services.ops.hosting.server import run_until_told_to_stop, serve
from shared.bus.broker import CAPABILITIES
from shared.contracts.services import SERVICES
from shared.factor_set import SAMPLE_FACTOR_SET
from shared.failpoints import VARIABLE, Failpoint
from shared.service import build_app
from shared.settings import CommonSettings
from shared.telemetry import configure_logging
from tests.support.platform import NO_SCHEDULE

# What loads the services once and forks them from then on; nothing of the process of the test is in it.
_FORKS: Final = multiprocessing.get_context("forkserver")
_LOADED: Final[Sequence[str]] = ("pytest", __name__, *(f"services.{name}.main" for name in SERVICES))
# The shortest that Kafka takes: one that was killed is missed for so long.
SESSION_TIMEOUT_MS: Final = 6_000


@dataclass(slots=True)
class Life:
    """A process of some services, from its start to its end.

    Attributes
    ----------
    names : sequence of str
        Which services.
    common : CommonSettings
        Which database and broker it uses.
    listener : socket
        Where it answers: open in the process of the test, so that who asks between two lives is answered by the next.
    log : Path
        Where it says what it does, behind what others have said.
    failpoint : Failpoint, optional
        Where it dies.
    """

    names: Sequence[str]
    common: CommonSettings
    listener: socket.socket
    log: Path
    failpoint: Failpoint | None = None
    process: BaseProcess = field(init=False)
    _begun: Connection = field(init=False)

    def __post_init__(self) -> None:
        _FORKS.set_forkserver_preload(list(_LOADED))
        named = "" if self.failpoint is None else str(self.failpoint)
        self._begun, tells = _FORKS.Pipe(duplex=False)
        given = (self.names, self.common, self.listener, self.log, named, tells)
        self.process = _FORKS.Process(target=_live, args=given)
        self.process.start()
        tells.close()

    @property
    def has_ended(self) -> bool:
        """Whether the process is no more."""
        return self.process.exitcode is not None

    async def ended(self) -> int:
        """Return when the process has ended, and with which code."""
        while (code := self.process.exitcode) is None:  # noqa: ASYNC110 - other processes end without an event
            await asyncio.sleep(0.02)
        return code

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, if it is there to hear it."""
        if not self.has_ended:
            assert self.process.pid is not None
            os.kill(self.process.pid, number)

    async def stop(self) -> int:
        """Have it end what it has in hand, and return with which code it has ended.

        Not before it can hear that: until then a signal ends it as any process.
        """
        while not self._begun.poll():  # noqa: ASYNC110 - it tells, or it is no more
            await asyncio.sleep(0.02)
        self.tell(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """Kill it as a power cut would."""
        self.tell(signal.SIGKILL)
        await self.ended()


def _live(
    names: Sequence[str], common: CommonSettings, listener: socket.socket, log: Path, named: str, begun: Connection
) -> None:
    with log.open("ab") as opened:
        os.dup2(opened.fileno(), sys.stdout.fileno())
        os.dup2(opened.fileno(), sys.stderr.fileno())
    os.environ[VARIABLE] = named
    CAPABILITIES[common.broker] = replace(CAPABILITIES[common.broker], session_timeout_ms=SESSION_TIMEOUT_MS)
    configure_logging()
    settings = common.model_copy(update={"factor_set": SAMPLE_FACTOR_SET})
    sources = MarketDataSettings(providers=("sample",))
    given = {"market_data": sources, "scheduler": NO_SCHEDULE}
    services = build_services(names, settings, **{name: given[name] for name in names if name in given})
    app = build_app(services, settings, title=f"one life of {' '.join(names)}")
    run_until_told_to_stop(_served(app, listener, begun))


async def _served(app: FastAPI, listener: socket.socket, begun: Connection) -> None:
    begun.close()
    # Who has forked us is not whose child we are to be: a test that is killed leaves nothing behind.
    test = multiprocessing.parent_process()
    assert test is not None
    asyncio.get_running_loop().add_reader(test.sentinel, os._exit, 1)
    await serve(app, listener, lambda: None)
