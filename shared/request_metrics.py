"""How long requests take, by route and by how they are answered."""

import time
from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.metrics.catalogue import REQUEST_SECONDS
from shared.metrics.service_metrics import ServiceMetrics

# Which service answers, as its routes write it into the scope of a request.
SERVICE: Final = "sigmasight.service"


class RequestMetrics:
    """Notes the time until an answer begins (an ASGI middleware).

    What no route of a service answers is not counted: whoever asks for anything would make series without end.
    """

    def __init__(self, app: ASGIApp, *, metrics: Mapping[str, ServiceMetrics]) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how long its answer has taken to begin."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, noting)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        metrics = self._metrics.get(scope.get(SERVICE, ""))
        if metrics is not None:
            metrics.observe(REQUEST_SECONDS, seconds, f"{scope['method']} {scope['route'].path}", f"{status // 100}xx")
