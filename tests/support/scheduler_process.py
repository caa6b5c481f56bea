"""A scheduler as a process of its own, to be killed, whose clock says what is in a file.

``python -m tests.support.scheduler_process FILE`` runs one until it is killed; settings come from the environment.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from services.scheduler.main import build
from shared import service
from shared.settings import CommonSettings

_SWEEP_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class FileClock:
    """The time that a test has written down, for every process that reads it."""

    file: Path

    def now(self) -> datetime:
        """Return the instant in the file."""
        return datetime.fromisoformat(self.file.read_text())

    def set(self, instant: datetime) -> None:
        """Write an instant; who reads meanwhile sees the old one or the new one."""
        written = self.file.with_suffix(".new")
        written.write_text(instant.isoformat())
        written.replace(self.file)

    def advance(self, instant: datetime) -> None:
        """Let it be that late at least."""
        self.set(max(self.now(), instant))


@dataclass(slots=True)
class SchedulerProcess:
    """A scheduler that runs on a database and a broker of a test."""

    common: CommonSettings
    clock: FileClock
    settings: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "tests.support.scheduler_process", str(self.clock.file)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment())

    @property
    def name(self) -> str:
        """What ends the name under which it fires."""
        return f" {self.process.pid}"

    def kill(self) -> None:
        """Kill it as a power cut would, and reap it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def _environment(self) -> dict[str, str]:
        common = self.common
        password = common.service_database_password
        return {
            **os.environ,
            "DATABASE_URL": common.database_url.get_secret_value(),
            "SERVICE_DATABASE_PASSWORD": "" if password is None else password.get_secret_value(),
            "BOOTSTRAP_SERVERS": common.bootstrap_servers,
            "BROKER": common.broker.value,
            "VIEWER_TOKEN": common.viewer_token.get_secret_value(),
            "OPERATOR_TOKEN": common.operator_token.get_secret_value(),
            **self.settings,
        }


async def _run(clock: FileClock) -> None:
    # A month is to pass as fast as its runs do.
    service.BACKGROUND_PAUSE_S = _SWEEP_EVERY_S
    async with service.running(build(CommonSettings(), clock=clock)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run(FileClock(Path(sys.argv[1]))))
