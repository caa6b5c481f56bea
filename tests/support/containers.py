"""The containers of docker-compose.yml as processes: their commands with their environments, on servers of a test."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from services.ops.hosting.embedded.ports import remembered_port
from services.ops.hosting.embedded.process import server_environment
from tests.support.compose import COMPOSE, environment_of
from tests.support.eventually import eventually
from tests.support.platform import Api, connecting

_PROGRAM = Path(sys.executable).with_name("sigmasight")


@dataclass(slots=True)
class Containers:
    """What runs of them.

    Attributes
    ----------
    home : Path
        Where their logs are written.
    env_file : mapping of str to str
        `.env`.
    hosts : mapping of str to str
        What a host of compose is here.
    changed : mapping of str to str
        What the environment of each says beside that.
    """

    home: Path
    env_file: Mapping[str, str]
    hosts: Mapping[str, str]
    changed: Mapping[str, str]
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _ports: dict[str, int] = field(default_factory=dict)

    async def run(self, service: str) -> None:
        """Run a container to its end, which is a good one."""
        process = self._spawn(service)
        code = await asyncio.to_thread(process.wait)
        assert code == 0, f"{service}: {self._said(service)}"

    async def start(self, service: str) -> None:
        """Start a container and return when its health check is content."""
        process = self._running[service] = self._spawn(service)

        async def ready() -> bool:
            assert process.poll() is None, f"{service} ended: {self._said(service)}"
            try:
                async with httpx.AsyncClient() as client:
                    return (await client.get(f"{self._url(service)}/health/ready")).is_success
            except httpx.HTTPError:
                return False

        await eventually(ready)

    def stop(self) -> dict[str, int]:
        """Stop all as compose does, and return with which code each has ended."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        codes = {service: process.wait() for service, process in self._running.items()}
        self._running.clear()
        return codes

    def api(self, service: str) -> Api:
        """Return who speaks to a service as an operator."""
        return Api(connecting(self._url(service), self.env_file["OPERATOR_TOKEN"]))

    def environment(self, service: str) -> dict[str, str]:
        """Return the environment of a container, here."""
        said = environment_of(service, self.env_file)
        for host, here in self.hosts.items():
            said = {name: value.replace(host, here) for name, value in said.items()}
        return {**said, "SIGMASIGHT_PORT": str(self._port(service)), **self.changed}

    def _spawn(self, service: str) -> subprocess.Popen[bytes]:
        # The image's entry point is the program; none of our own environment gets into a container.
        command = [str(_PROGRAM), *COMPOSE["services"][service]["command"]]
        environment = {**server_environment(), **self.environment(service)}
        with (self.home / f"{service}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self.home)

    def _port(self, service: str) -> int:
        # Chosen once: one that is taken by now is ours.
        if service not in self._ports:
            self._ports[service] = remembered_port(self.home / f"{service}.port")
        return self._ports[service]

    def _url(self, service: str) -> str:
        return f"http://127.0.0.1:{self._port(service)}"

    def _said(self, service: str) -> str:
        return (self.home / f"{service}.log").read_text()[-3000:]
