"""Services as a process that is forked in a moment, to die in the middle of its work."""

import asyncio
import gc
import multiprocessing
import os
import random
import resource
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from services.market_data.settings import MarketDataSettings
from services.ops.composition import build_services
from services.ops.hosting.garbage import look_for_it_rarely
from services.ops.hosting.server import run_until_told_to_stop, serve
from shared.bus.broker import CAPABILITIES
from shared.clock import SystemClock
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
_JUMPS: Final = (-60, -5, 0, 5, 60)  # minutes


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is odd about where a process lives.

    Attributes
    ----------
    clock_jumps : int, optional
        The seed of how far its clock is off each time that somebody looks.
    spare_mib : int, optional
        How much more memory it gets than it has when it begins.
    """

    clock_jumps: int | None = None
    spare_mib: int | None = None


ORDINARY: Final = Conditions()


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
    conditions : Conditions
        How it lives until then.
    """

    names: Sequence[str]
    common: CommonSettings
    listener: socket.socket
    log: Path
    failpoint: Failpoint | None = None
    conditions: Conditions = ORDINARY
    process: BaseProcess = field(init=False)
    _begun: Connection = field(init=False)

    def __post_init__(self) -> None:
        _FORKS.set_forkserver_preload(list(_LOADED))
        named = "" if self.failpoint is None else str(self.failpoint)
        self._begun, tells = _FORKS.Pipe(duplex=False)
        given = (self.names, self.common, self.listener, self.log, (named, self.conditions), tells)
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
    names: Sequence[str],
    common: CommonSettings,
    listener: socket.socket,
    log: Path,
    disturbed: tuple[str, Conditions],
    begun: Connection,
) -> None:
    named, conditions = disturbed
    with log.open("ab") as opened:
        os.dup2(opened.fileno(), sys.stdout.fileno())
        os.dup2(opened.fileno(), sys.stderr.fileno())
    # As `serve` does: what it is forked with and what it starts with stays.
    gc.disable()
    os.environ[VARIABLE] = named
    CAPABILITIES[common.broker] = replace(CAPABILITIES[common.broker], session_timeout_ms=SESSION_TIMEOUT_MS)
    if conditions.clock_jumps is not None:
        setattr(SystemClock, "now", _jumping(conditions.clock_jumps))  # noqa: B010 - it is a method
    configure_logging()
    settings = common.model_copy(update={"factor_set": SAMPLE_FACTOR_SET})
    sources = MarketDataSettings(providers=("sample",))
    given = {"market_data": sources, "scheduler": NO_SCHEDULE}
    services = build_services(names, settings, **{name: given[name] for name in names if name in given})
    app = build_app(services, settings, title=f"one life of {' '.join(names)}")
    if conditions.spare_mib is not None:
        _keep_within(conditions.spare_mib)
    run_until_told_to_stop(_served(app, listener, begun))


def _jumping(seed: int) -> Callable[[SystemClock], datetime]:
    generator = random.Random(seed)  # noqa: S311 - draws faults
    return lambda _: datetime.now(UTC) + timedelta(minutes=generator.choice(_JUMPS))


def _keep_within(spare_mib: int) -> None:
    # What is private and may be written to; addresses that threads only reserve are no memory.
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    resource.setrlimit(resource.RLIMIT_DATA, (pages * resource.getpagesize() + spare_mib * 2**20,) * 2)


async def _served(app: FastAPI, listener: socket.socket, begun: Connection) -> None:
    begun.close()
    # Who has forked us is not whose child we are to be: a test that is killed leaves nothing behind.
    test = multiprocessing.parent_process()
    assert test is not None
    asyncio.get_running_loop().add_reader(test.sentinel, os._exit, 1)
    await serve(app, listener, look_for_it_rarely)
