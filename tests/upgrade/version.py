"""A version of the project with an environment of its own, and the processes that run it."""

import asyncio
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from services.ops.hosting.embedded.ports import remembered_port
from services.ops.hosting.embedded.process import server_environment
from shared.contracts.services import SERVICES
from tests.support.platform import Api, connecting

ROOT: Final = Path(__file__).parents[2]
# Whose code version is said with which tables.
_SAYS_ITS_VERSION: Final = {
    "portfolio": "services/portfolio/core/digest.py",
    "risk": "services/risk/core/digest.py",
    "symbol_analytics": "services/symbol_analytics/core/digest.py",
}
_LOOKED_EVERY_S: Final = 0.5
_EVENTS: Final = "sigmasight_events"


@dataclass(frozen=True, slots=True)
class Version:
    """A tree of the project that can be run."""

    name: str
    tree: Path

    @property
    def program(self) -> Path:
        """Its command line."""
        return self.tree / ".venv" / "bin" / "sigmasight"

    def code_versions(self) -> dict[str, int]:
        """Return by which version of its computation each service's numbers are made."""
        return {service: _code_version(self.tree / path) for service, path in _SAYS_ITS_VERSION.items()}


def _code_version(path: Path) -> int:
    (found,) = re.findall(r"^CODE_VERSION(?:: Final)? = (\d+)$", path.read_text(), re.M)
    return int(found)


def commit_of(repository: Path, revision: str) -> str:
    """Return the commit that a revision names.

    Raises
    ------
    SystemExit
        If the repository does not have it, as a shallow clone does not.
    """
    found = _git(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode:
        raise SystemExit(f"there is no {revision!r} here (a clone without history has none: git fetch --unshallow)")
    return found.stdout.decode().strip()[:12]


def check_out(repository: Path, commit: str, home: Path) -> Path:
    """Write the tree of a commit below a directory, once, and return where; nothing of the repository changes."""
    tree = home / commit
    if not tree.exists():
        being_written = home / f"{commit}.part"
        being_written.mkdir(parents=True, exist_ok=True)
        packed = _git(repository, "archive", "--format=tar", commit)
        packed.check_returncode()
        subprocess.run(["tar", "--extract", "--directory", being_written], input=packed.stdout, check=True)
        being_written.rename(tree)
    return tree


def prepared(commit: str, home: Path) -> Version:
    """Return a version that was landed, with the environment that its own lock names."""
    tree = check_out(ROOT, commit, home)
    subprocess.run(["make", "--silent", "--directory", tree, ".venv/.synced"], check=True)
    return Version(commit, tree)


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", repository, *arguments], capture_output=True, check=False)


@dataclass(slots=True)
class Running:
    """`serve` of every service of a version, in one process."""

    version: Version
    home: Path
    environment: Mapping[str, str]
    _port: int = field(init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._port = remembered_port(self.home / f"{self.version.name}.port")

    async def migrate(self, step: str) -> None:
        """Make the tables ready: a step of it, and the version's code alone knows which that is."""
        process = self._spawn("migrate", "--step", step)
        code = await asyncio.to_thread(process.wait)
        assert code == 0, f"migrate --step {step} of {self.version.name}: {self._said()}"

    async def refused_to_begin(self) -> bool:
        """Tell whether the process ends with an error instead of beginning."""
        process = self._spawn("serve", *SERVICES, "--port", str(self._port))
        return await asyncio.to_thread(process.wait) != 0

    async def start(self) -> None:
        """Start the process and return when it is ready."""
        process = self._process = self._spawn("serve", *SERVICES, "--port", str(self._port))

        # However long it takes: nothing here is about time.
        while not await self._is_ready():
            assert process.poll() is None, f"{self.version.name} ended: {self._said()}"
            await asyncio.sleep(_LOOKED_EVERY_S)

    async def _is_ready(self) -> bool:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{self._url()}/health/ready")).is_success
        except httpx.HTTPError:
            return False

    async def stop(self) -> None:
        """Stop the process as a supervisor does, with what it has in hand."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(self._process.wait)
        self._process = None
        assert code == 0, f"{self.version.name} ended with {code}: {self._said()}"

    def kill(self) -> None:
        """End the process, however it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def api(self) -> Api:
        """Return who speaks to it as an operator."""
        return Api(connecting(self._url(), self.environment["OPERATOR_TOKEN"]))

    async def events(self) -> int:
        """Return how many events its consumers have dealt with."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"{self._url()}/metrics")).raise_for_status().text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        return int(sum(each.value for each in families[_EVENTS].samples if each.name == f"{_EVENTS}_total"))

    def _spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log().open("ab") as log:
            return subprocess.Popen(
                [self.version.program, *arguments],
                stdout=log,
                stderr=log,
                env={**server_environment(), **self.environment},
                cwd=self.home,
            )

    def _url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _log(self) -> Path:
        return self.home / f"{self.version.name}.log"

    def _said(self) -> str:
        return self._log().read_text()[-3000:]
