"""`sigmasight up` as a process of its own, to be killed and started again."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.platform import Api, connecting

# Runs are those that a test asks for, also when it runs at nine in the evening in New York.
_NO_SCHEDULE = {"BATCH_PROCESSING_ENABLED": "false", "MAX_BACKFILL_DATES": "0"}
_SIGMASIGHT = Path(sys.executable).with_name("sigmasight")


@dataclass(slots=True)
class Up:
    """A data directory and the process of `up` on it, when one runs."""

    data_dir: Path
    options: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start the process and return when it answers."""
        assert await self.starts(), f"`up` ended: {self.log.read_text()[-3000:]}"

    async def starts(self) -> bool:
        """Start the process, and tell whether it answers; not if it ends before."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.process = self._spawn()
        return await eventually(self._answers_or_has_ended) == "answers"

    def kill(self) -> None:
        """Kill the process as a power cut would, and reap it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop the process as Ctrl-C would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Api]:
        """Connect to the process that runs now."""
        token = (self.data_dir / "operator.token").read_text()
        async with connecting(self.url, token) as client:
            yield Api(client)

    @property
    def url(self) -> str:
        """Where the process that runs now listens."""
        url: str = json.loads((self.data_dir / "endpoint.json").read_text())["url"]
        return url

    def url_of_worker(self, number: int) -> str:
        """Return where another process of it tells of its health and its metrics."""
        return f"http://127.0.0.1:{(self.data_dir / 'workers' / f'{number}.port').read_text()}"

    @property
    def database_url(self) -> str:
        """The embedded database, for its administrator."""
        elsewhere = self.data_dir / "postgres.home"
        home = Path(elsewhere.read_text()) if elsewhere.exists() else self.data_dir / "postgres"
        password, port = (home / "password").read_text(), (home / "port").read_text().strip()
        return f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"

    @property
    def log(self) -> Path:
        """What the process has said."""
        return self.data_dir / "up.log"

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [str(_SIGMASIGHT), "up", "--data-dir", str(self.data_dir), "--port", "0", *self.options]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **_NO_SCHEDULE, **self.environment}
            )

    @property
    def has_ended(self) -> bool:
        """Whether the process is no more."""
        return self.process is None or self.process.poll() is not None

    async def _answers_or_has_ended(self) -> str | None:
        endpoint = self.data_dir / "endpoint.json"
        # A killed process leaves its endpoint behind: this one writes its own when it answers.
        if self.process and endpoint.exists() and json.loads(endpoint.read_text())["pid"] == self.process.pid:
            return "answers"
        return "has ended" if self.has_ended else None
