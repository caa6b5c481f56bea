"""What `up` keeps in the data directory for itself and for the client commands."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

_SERVERS = "servers.json"


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A data directory: secrets that only its owner reads, and the address of the stack that runs on it."""

    path: Path

    @property
    def endpoint_file(self) -> Path:
        """Where the address is written while a stack runs."""
        return self.path / "endpoint.json"

    def keep_secret(self, name: str) -> SecretStr:
        """Return the secret of this name, made at random when there is none yet."""
        file = self.path / name
        if not file.exists():
            self._write_secretly(name, secrets.token_urlsafe(32))
        return SecretStr(file.read_text())

    def find_secret(self, name: str) -> SecretStr | None:
        """Return the secret of this name if there is one."""
        file = self.path / name
        return SecretStr(file.read_text()) if file.exists() else None

    def _write_secretly(self, name: str, text: str) -> None:
        # It gets its name when it is complete: a kill in between must not leave an empty password.
        partial = self.path / f"{name}.partial"
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(text)
        partial.rename(self.path / name)

    def write_servers(self, servers: Mapping[str, str]) -> None:
        """Say which servers the stack uses; with the password of their administrator, so to its owner only."""
        self._write_secretly(_SERVERS, json.dumps(servers))

    def find_servers(self) -> dict[str, str] | None:
        """Return which servers the stack of this directory uses, as far as is written down."""
        found = self.find_secret(_SERVERS)
        servers: dict[str, str] | None = None if found is None else json.loads(found.get_secret_value())
        return servers

    def write_endpoint(self, url: str) -> None:
        """Say where the stack listens."""
        partial = self.endpoint_file.with_suffix(".partial")
        partial.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
        partial.rename(self.endpoint_file)

    def remove_endpoint(self) -> None:
        """Say that nothing listens any more."""
        self.endpoint_file.unlink(missing_ok=True)
        (self.path / _SERVERS).unlink(missing_ok=True)

    def find_url(self) -> str | None:
        """Return where the stack of this directory listens, as far as is written down."""
        if not self.endpoint_file.exists():
            return None
        url: str = json.loads(self.endpoint_file.read_text())["url"]
        return url
