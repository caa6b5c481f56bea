"""What a request makes is made once, however often it is repeated with its key, and the answer says where it is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from services.portfolio.commands.request_calculation import Requested
from services.portfolio.web.views import Accepted
from shared.db.keyed_requests import answer_once
from shared.db.unit_of_work import UnitOfWork
from shared.idempotency import IdempotencyKey
from shared.paths import API

Make = Callable[[UnitOfWork], Awaitable[Requested]]


@dataclass(frozen=True, slots=True)
class Making:
    """A request that makes something, with its key if it has one."""

    request: Request
    response: Response
    key: str | None

    async def once(self, body: BaseModel, make: Make, uow: UnitOfWork) -> Accepted:
        """Answer with what was made (201), or had been made before, with the key or without (200)."""
        asked = f"{self.request.method} {self.request.url.path}?{self.request.url.query} {body.model_dump_json()}"

        async def answer() -> tuple[Requested, bool]:
            made = await make(uow)
            return made, made.is_new

        requested, is_new = await answer_once(uow.connection, self.key, asked, Requested, answer)
        self.response.status_code = 201 if is_new else 200
        self.response.headers["Location"] = f"{API}/portfolios/{requested.portfolio_id}"
        return Accepted.of(requested)


def _making(request: Request, response: Response, idempotency_key: IdempotencyKey = None) -> Making:
    return Making(request, response, idempotency_key)


MadeOnce = Annotated[Making, Depends(_making)]
