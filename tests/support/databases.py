"""Databases with the services' roles, schemas and migrations."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr
from sqlalchemy import make_url

from shared.db.migrate import migrate, provision
from shared.settings import CommonSettings
from tests.support.stack import Servers, create_database, fresh_database

# Roles belong to the whole server: every test database gives them the same password.
SERVICE_PASSWORD = SecretStr("services-of-a-test")
# By server and services; they go with their server.
_TEMPLATES: dict[tuple[str, tuple[str, ...]], str] = {}
VIEWER_TOKEN = "viewer-token"
OPERATOR_TOKEN = "operator-token"


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """A database of its own in which services are provisioned and migrated.

    Attributes
    ----------
    admin_url : str
        Its address for the administrator role.
    common : CommonSettings
        Settings with which the services find this database and the broker.
    """

    admin_url: str
    common: CommonSettings

    def url(self, service: str) -> SecretStr:
        """Return the address for the service's own role."""
        url = make_url(self.admin_url).set(username=service, password=SERVICE_PASSWORD.get_secret_value())
        return SecretStr(url.render_as_string(hide_password=False))


def common_settings(servers: Servers, database_url: str) -> CommonSettings:
    """Return settings for a database and for the broker beside it."""
    return CommonSettings(
        database_url=SecretStr(database_url),
        service_database_password=SERVICE_PASSWORD,
        bootstrap_servers=servers.bootstrap_servers,
        broker=servers.broker_kind,
        viewer_token=SecretStr(VIEWER_TOKEN),
        operator_token=SecretStr(OPERATOR_TOKEN),
    )


@asynccontextmanager
async def provisioned_database(servers: Servers, services: Sequence[str]) -> AsyncIterator[ServiceDatabase]:
    """Make a database with the roles and empty schemas of `services`; drop it at the end."""
    async with fresh_database(servers.database_url) as admin_url:
        await provision(SecretStr(admin_url), dict.fromkeys(services, SERVICE_PASSWORD))
        yield ServiceDatabase(admin_url, common_settings(servers, admin_url))


@asynccontextmanager
async def migrated_database(servers: Servers, services: Sequence[str]) -> AsyncIterator[ServiceDatabase]:
    """Make a database in which `services` are migrated to their newest version."""
    template = await _template(servers, tuple(services))
    async with fresh_database(servers.database_url, template=template) as admin_url:
        # What may connect belongs to a database, and is not copied.
        await provision(SecretStr(admin_url), dict.fromkeys(services, SERVICE_PASSWORD))
        yield ServiceDatabase(admin_url, common_settings(servers, admin_url))


async def _template(servers: Servers, services: tuple[str, ...]) -> str:
    """Return the name of a database of the server in which they are migrated: to copy it is faster than to migrate."""
    key = (servers.database_url, services)
    if key not in _TEMPLATES:
        name = f"template_{len(_TEMPLATES)}"
        url = await create_database(servers.database_url, name)
        await provision(SecretStr(url), dict.fromkeys(services, SERVICE_PASSWORD))
        migrated = ServiceDatabase(url, common_settings(servers, url))
        for service in services:
            await migrate(service, migrated.url(service))
        _TEMPLATES[key] = name
    return _TEMPLATES[key]
