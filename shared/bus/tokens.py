"""Bearer tokens for a broker: from a file that somebody keeps fresh, or from who gives them to clients."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
from aiokafka.abc import AbstractTokenProvider
from pydantic import SecretStr

# A token is used for this share of its life: one that ends on its way is refused.
_USED_FOR: Final = 0.8
_ANSWERED_WITHIN_S: Final = 10.0


@dataclass
class TokenFile(AbstractTokenProvider):  # type: ignore[misc]
    """Reads the token from a file, each time: who mounts it there replaces it before it ends."""

    path: Path

    async def token(self) -> str:
        """Return the token of now."""
        return (await asyncio.to_thread(self.path.read_text)).strip()


@dataclass
class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]
    """Asks an OAuth 2.0 server for tokens as a client with a secret (RFC 6749, 4.4), and again before one ends."""

    url: str
    client_id: str
    secret: SecretStr | None
    scope: str | None = None
    _token: str = field(default="", init=False, repr=False)
    _ends: float = field(default=0.0, init=False)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    async def token(self) -> str:
        """Return a token that is good for a while.

        Raises
        ------
        ConnectionError
            If there is none.
        """
        async with self._asking:
            if time.monotonic() >= self._ends:
                await self._ask()
        return self._token

    async def _ask(self) -> None:
        wanted = {"grant_type": "client_credentials", **({"scope": self.scope} if self.scope else {})}
        shown = (self.client_id, self.secret.get_secret_value() if self.secret else "")
        try:
            async with httpx.AsyncClient(timeout=_ANSWERED_WITHIN_S) as client:
                answer = await client.post(self.url, data=wanted, auth=shown)
                answer.raise_for_status()
                given = answer.json()
                self._token = given["access_token"]
                self._ends = time.monotonic() + _USED_FOR * float(given.get("expires_in", 60))
        except (httpx.HTTPError, KeyError, ValueError) as error:
            # An OSError: Kafka's client takes it for a connection that failed, and tries again.
            raise ConnectionError(f"KAFKA_TOKEN_URL {self.url} gave {self.client_id} no token: {error!r}") from error
