"""Who did what to a service over HTTP, for who may know that of everybody; and who signs in."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from shared.db.audit import ACTION, AUDITED, MAX_TARGET_CHARS, Action, Noted, Wanted, list_newest
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.pages import Page, Paging, Place, Text, paged
from shared.problems import Problem
from shared.selection import Instant
from shared.sign_ins import KEPT_BY, MAX_STATEMENT_CHARS, ROUTE, Statements

Actions = Annotated[Paging, paged(100, most=1000)]


class ActionView(BaseModel):
    """What somebody changed, or tried to."""

    place: int = Field(description="which of the service's it is, from 1 on without a gap")
    at: datetime
    principal: str = Field(description="a person, or which token")
    role: str
    action: str = Field(description="the route, as the access table has it")
    target: str = Field(description="what was asked for")
    outcome: str = Field(description="`done`, or how it was refused")

    @classmethod
    def of(cls, noted: Noted) -> Self:
        """Return how an action is shown; its hash is for `audit verify`, which reads what is stored."""
        return cls.model_validate(noted, from_attributes=True)


class SignInBody(BaseModel):
    """What pages tell of somebody who signs in or out."""

    model_config = ConfigDict(extra="forbid")

    statement: str = Field(min_length=1, max_length=MAX_STATEMENT_CHARS, description="signed with `SESSION_KEY`")


def build_router(unit_of_work: UnitOfWorkFactory, service: str, statements: Statements | None = None) -> APIRouter:
    """Return the routes of a service's audit; none where nothing is changed over HTTP."""
    router = APIRouter()
    if service not in AUDITED:
        return router

    @router.get(f"/audit/{service}")
    async def list_actions(
        paging: Actions,
        principal: Annotated[Text | None, Query(description="of whom; none: of everybody")] = None,
        since: Annotated[Instant | None, Query(description="from then on")] = None,
        before: Annotated[Instant | None, Query(description="earlier than that")] = None,
    ) -> Page[ActionView]:
        """List what was changed over HTTP in the service, or tried to, the newest first."""
        (below,) = paging.after(tuple[Place]) or (None,)
        async with unit_of_work.reading() as connection:
            wanted = Wanted(principal, since, before)
            found = await list_newest(connection, wanted, limit=paging.wanted, below=below)
        return paging.page(found, ActionView.of, lambda noted: (noted.place,))

    if service == KEPT_BY:
        router.include_router(_sign_ins(unit_of_work, statements))
    return router


def _sign_ins(unit_of_work: UnitOfWorkFactory, statements: Statements | None) -> APIRouter:
    router = APIRouter()

    @router.post(ROUTE, status_code=204)
    async def note_sign_in(body: SignInBody) -> None:
        """Keep that somebody has signed in or out, or was refused, as pages of this platform tell it."""
        told = None if statements is None else statements.find(body.statement)
        if told is None:
            raise Problem.of_field("statement", "must be told by pages of this platform, within a minute")
        token = ACTION.set(Action(told.name, told.role, told.what, told.address[:MAX_TARGET_CHARS], told.outcome))
        try:
            async with unit_of_work():
                # The audit is all there is to store.
                pass
        finally:
            ACTION.reset(token)

    return router
