"""What `up` keeps in the data directory for itself and for the client commands."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from services.ops.errors import Misused
from services.ops.files import write_whole

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
            write_whole(file, secrets.token_urlsafe(32), mode=0o600)
        return SecretStr(file.read_text())

    def find_secret(self, name: str) -> SecretStr | None:
        """Return the secret of this name if there is one."""
        file = self.path / name
        return SecretStr(file.read_text()) if file.exists() else None

    def write_servers(self, servers: Mapping[str, str]) -> None:
        """Say which servers the stack uses; with the password of their administrator, so to its owner only."""
        write_whole(self.path / _SERVERS, json.dumps(servers), mode=0o600)

    def find_servers(self) -> dict[str, str] | None:
        """Return which servers the stack of this directory uses, as far as is written down.

        Raises
        ------
        Misused
            If what is written there is damaged.
        """
        return self._find(self.path / _SERVERS)

    def write_endpoint(self, url: str) -> None:
        """Say where the stack listens."""
        write_whole(self.endpoint_file, json.dumps({"url": url, "pid": os.getpid()}) + "\n")

    def remove_endpoint(self) -> None:
        """Say that nothing listens any more."""
        self.endpoint_file.unlink(missing_ok=True)
        (self.path / _SERVERS).unlink(missing_ok=True)

    def find_url(self) -> str | None:
        """Return where the stack of this directory listens, as far as is written down.

        Raises
        ------
        Misused
            If what is written there is damaged.
        """
        endpoint = self._find(self.endpoint_file)
        return None if endpoint is None else endpoint["url"]

    @staticmethod
    def _find(file: Path) -> dict[str, str] | None:
        if not file.exists():
            return None
        try:
            found: dict[str, str] = json.loads(file.read_text())
        except ValueError:
            raise Misused(f"{file} must be JSON as `up` writes it, was damaged: start the platform again") from None
        return found
