"""Sessions that go on: now and then somebody who has one is looked up again, and whoever may not have it is nobody."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ops.people.sign_in import is_for_tls, keep
from services.ops.people.telling import Telling
from shared.clock import Clock
from shared.principal import Principal
from shared.sessions import COOKIE, HOST_COOKIE, NoSession, Sessions
from shared.sign_ins import SignIn

# Who somebody is now, by who they were and what was known of them beside it; None: nobody any more.
LookUp = Callable[[Principal, str], Principal | None]
_NAMES: Final = (COOKIE, HOST_COOKIE)


@dataclass(frozen=True, slots=True)
class Renewal:
    """How sessions go on."""

    sessions: Sessions
    clock: Clock
    look_up: LookUp
    telling: Telling


class Renewed:
    """Has requests come with a session that services believe, or with none (an ASGI middleware)."""

    def __init__(self, app: ASGIApp, *, renewal: Renewal) -> None:
        self._app = app
        self._renewal = renewal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer with the session that goes on from here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        is_secure = is_for_tls(connection, self._renewal.sessions)
        # Of the two, that which no other site and nobody on the way can have set.
        name = HOST_COOKIE if is_secure else COOKIE
        sent = {each: connection.cookies[each] for each in _NAMES if each in connection.cookies}
        cookie, ended = self._going_on(sent[name]) if name in sent else (None, None)
        if ended is not None:
            # The service that is told may be in this very process, which goes on meanwhile.
            await asyncio.to_thread(self._renewal.telling.done, SignIn.ENDED, ended, connection)
        going_on = {} if cookie is None else {name: cookie}
        if going_on != sent:
            scope = {**scope, "headers": _with_session(connection, going_on)}
        if cookie is None or cookie == sent[name]:
            await self._app(scope, receive, send)
            return
        added = Response()
        keep(added, cookie, self._renewal.sessions, is_secure=is_secure)

        async def send_with_session(message: Message) -> None:
            # What signs in or out says itself what is kept.
            if message["type"] == "http.response.start" and "set-cookie" not in (
                headers := MutableHeaders(scope=message)
            ):
                headers.append("set-cookie", added.headers["set-cookie"])
            await send(message)

        await self._app(scope, receive, send_with_session)

    def _going_on(self, cookie: str) -> tuple[str | None, Principal | None]:
        """Return the session that goes on, if one does, and whose has ended here."""
        sessions, now = self._renewal.sessions, self._renewal.clock.now()
        try:
            due = sessions.find_due(cookie, at=now)
        except NoSession:
            return None, None
        if due is None:
            return cookie, None
        person = self._renewal.look_up(due.person, due.mark)
        if person is None:
            return None, due.person
        # Pages that are open have the token that they were given.
        return sessions.renew(replace(due, person=replace(person, csrf=due.person.csrf)), at=now), None


def _with_session(connection: HTTPConnection, session: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    cookies = {**{name: text for name, text in connection.cookies.items() if name not in _NAMES}, **session}
    others = [header for header in connection.scope["headers"] if header[0] != b"cookie"]
    said = "; ".join(f"{name}={text}" for name, text in cookies.items())
    return [*others, (b"cookie", said.encode("latin-1", "ignore"))]
