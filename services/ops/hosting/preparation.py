"""Making a database and a broker ready for the services: roles, schemas, migrations, topics."""

from collections.abc import Sequence

from services.ops.errors import Misused
from services.ops.settings import TopicSettings
from shared.bus.broker import create_topics
from shared.contracts.services import SERVICES
from shared.db.migrate import migrate, provision
from shared.settings import CommonSettings, ServiceDatabaseUrls, service_database_url
from shared.telemetry import timed


def services_without_url() -> Sequence[str]:
    """Return the services that have no database URL of their own."""
    urls = ServiceDatabaseUrls()
    return tuple(service for service in SERVICES if getattr(urls, f"{service}_database_url") is None)


async def prepare(common: CommonSettings, *, processes: int = 1) -> None:
    """Create what is missing: roles and schemas, tables, topics; safe to repeat.

    Roles and schemas are left alone for services whose URL is set: somebody else made those. A topic has a partition
    at least for each of the processes that share the work.

    Raises
    ------
    Misused
        If a service has neither a URL of its own nor a password to get one.
    """
    shared = services_without_url()
    if shared and common.service_database_password is None:
        names = ", ".join(f"{service.upper()}_DATABASE_URL" for service in shared)
        raise Misused(f"SERVICE_DATABASE_PASSWORD must be set, or each of {names}")
    if common.service_database_password is not None:
        with timed("roles and schemas are there"):
            await provision(common.database_url, shared, common.service_database_password)
    with timed("tables are there"):
        for service in SERVICES:
            await migrate(service, service_database_url(common, service))
    with timed("topics are there"):
        await create_topics(common.bootstrap_servers, partitions=max(TopicSettings().partitions, processes))
