"""Engines: one pool per service, `postgresql://` URLs accepted, the service's schema on the search path."""

from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

POOL_SIZE = 8


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long the server lets a session of a service do what holds up others.

    Attributes
    ----------
    lock_s : float
        Wait for a lock; then the message is tried again.
    idle_in_transaction_s : float
        Keep a transaction open without saying anything. A process that is frozen keeps its locks no longer than this;
        what a handler computes or fetches between two statements must be done by then.
    statement_s : float
        Run one statement.
    """

    lock_s: float
    idle_in_transaction_s: float
    statement_s: float

    def settings(self) -> dict[str, str]:
        """Return them as PostgreSQL's settings, in milliseconds."""
        limits = {
            "lock_timeout": self.lock_s,
            "idle_in_transaction_session_timeout": self.idle_in_transaction_s,
            "statement_timeout": self.statement_s,
        }
        return {name: str(round(seconds * 1000)) for name, seconds in limits.items()}


def asyncpg_url(url: str | URL) -> URL:
    """Return the URL with the asyncpg driver, whatever driver (or none) it names.

    Raises
    ------
    ValueError
        If it is not a PostgreSQL URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("database URL must start with postgresql://, was no URL") from None
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ValueError(f"database URL must start with postgresql://, was {parsed.get_backend_name()}://")
    return _with_option_renamed(parsed.set(drivername="postgresql+asyncpg"), "sslmode", "ssl")


def plain_url(url: str | URL) -> str:
    """Return the URL as asyncpg itself takes it."""
    plain = _with_option_renamed(asyncpg_url(url).set(drivername="postgresql"), "ssl", "sslmode")
    return plain.render_as_string(hide_password=False)


def _with_option_renamed(url: URL, old: str, new: str) -> URL:
    # libpq's URLs say sslmode, and so does asyncpg's own parser; SQLAlchemy hands options to asyncpg by name: ssl.
    if old not in url.query:
        return url
    return url.difference_update_query([old]).update_query_dict({new: url.query[old]})


def build_engine(
    url: SecretStr, *, service: str, pool_size: int = POOL_SIZE, limits: TimeLimits | None = None
) -> AsyncEngine:
    """Return an engine whose connections see the service's schema and nothing else."""
    settings = {"search_path": service, "application_name": service, "jit": "off"}
    engine = create_async_engine(
        asyncpg_url(url.get_secret_value()),
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={"server_settings": {**settings, **(limits.settings() if limits else {})}},
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool open another connection in the place of one that has ended.

    Of the end of a connection its socket tells: a `pool_pre_ping` instead asks the server before every message and
    request, in a transaction of its own, in four round trips.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError("the server has ended the connection")


def redirect(engine: AsyncEngine, schema: str) -> None:
    """Let the connections that an engine opens from now on see another schema."""

    def look_there(_dialect: object, _record: object, _arguments: object, options: dict[str, Any]) -> None:
        options["server_settings"] = {**options["server_settings"], "search_path": schema}

    event.listen(engine.sync_engine, "do_connect", look_there)


class StatementCounter:
    """Counts the SQL statements that an engine sends; COPY is counted by the bulk writer as part of its statement."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.statements = 0
        event.listen(engine.sync_engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.statements += 1
