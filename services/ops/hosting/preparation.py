"""Making a database and a broker ready for the services: roles, schemas, migrations, topics."""

from collections.abc import Sequence

from services.ops.errors import CommandError, Misused
from services.ops.settings import TopicSettings
from shared.bus.broker import create_topics
from shared.contracts.services import SERVICES
from shared.db.migrate import is_migrated, migrate, provision
from shared.db.revisions import Step
from shared.settings import (
    CommonSettings,
    ServiceDatabaseUrls,
    kafka_connection,
    service_database_url,
    service_password,
)
from shared.telemetry import timed


def services_without_url() -> Sequence[str]:
    """Return the services that have no database URL of their own."""
    urls = ServiceDatabaseUrls()
    return tuple(service for service in SERVICES if getattr(urls, f"{service}_database_url") is None)


async def prepare(common: CommonSettings, *, processes: int = 1, step: Step | None = None) -> None:
    """Create what is missing: roles and schemas, tables, topics; safe to repeat. The step `post` is about tables only.

    Roles and schemas are left alone for services whose URL is set: somebody else made those. A topic has a partition
    at least for each of the processes that share the work.

    Raises
    ------
    Misused
        If a service has neither a URL of its own nor a password to get one.
    UnfinishedUpgrade
        If the upgrade before has not been finished.
    """
    if step is not Step.POST:
        await _provision(common)
    with timed("tables are there"):
        for service in SERVICES:
            await migrate(service, service_database_url(common, service), step=step)
    if step is not Step.POST:
        with timed("topics are there"):
            await create_topics(kafka_connection(common, "migrate"), TopicSettings().layout(at_least=processes))


async def check_migrated(common: CommonSettings, services: Sequence[str]) -> None:
    """Refuse to begin on tables that are older than the code.

    Raises
    ------
    CommandError
        If something is missing.
    """
    for service in services:
        if not await is_migrated(service, service_database_url(common, service)):
            raise CommandError(f"the tables of {service} are older than its code: run `sigmasight migrate --step pre`")


async def _provision(common: CommonSettings) -> None:
    asked = {service: service_password(common, service) for service in services_without_url()}
    passwords = {service: password for service, password in asked.items() if password is not None}
    if lacking := [service.upper() for service in asked if service not in passwords]:
        names = ", ".join(f"{service}_DATABASE_PASSWORD or {service}_DATABASE_URL" for service in lacking)
        raise Misused(f"SERVICE_DATABASE_PASSWORD must be set, or {names}")
    if passwords:
        with timed("roles and schemas are there"):
            await provision(common.database_url, passwords)
