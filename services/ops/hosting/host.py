"""What `up` does: servers, preparation, all services on one port in this process, or behind it in several."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from pydantic import SecretStr

from services.market_data.settings import MarketDataSettings
from services.ops.board.routes import add_pages
from services.ops.composition import build_services, load_services
from services.ops.hosting.embedded.disk import disk_troubles
from services.ops.hosting.embedded.kept import Kept
from services.ops.hosting.embedded.lock import DataDirectoryLock
from services.ops.hosting.embedded.ports import remembered_port
from services.ops.hosting.embedded.stack import EmbeddedStack, RunningStack
from services.ops.hosting.host_options import HostOptions
from services.ops.hosting.preparation import prepare
from services.ops.hosting.requeue import requeue_outboxes
from services.ops.hosting.server import listen, serve, url_of
from services.ops.hosting.workers import Beside, Worker, environment_of, run_beside, servers_of
from services.ops.people.users import users_file
from services.ops.people.ways import let_sign_in
from services.ops.settings import OpsSettings, PeopleSettings
from shared.bus.broker import BrokerKind
from shared.bus.connection import SecurityProtocol
from shared.contracts.services import SERVICES
from shared.service import Troubles, answering, build_app, running
from shared.settings import CommonSettings, KafkaSettings
from shared.telemetry import timed


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """Where a stack listens and what it runs on.

    Attributes
    ----------
    url : str
        The address of the API.
    broker, database : str
        What runs and where, for people.
    requeued : int
        How many messages are published again, since the broker had lost them.
    workers : tuple of str
        Where the other processes answer.
    """

    url: str
    broker: str
    database: str
    requeued: int
    workers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Servers:
    database_url: str
    bootstrap_servers: str
    kind: BrokerKind
    log_is_new: bool
    broker: str
    database: str
    embedded: RunningStack | None = None


async def host(options: HostOptions, announce: Callable[[Hosted], None]) -> None:
    """Run the platform until cancelled; `announce` is called when it answers.

    Raises
    ------
    Misused, EmbeddedError
        If it cannot be started.
    """
    people = PeopleSettings()
    sources = MarketDataSettings(providers=options.providers, files_dir=options.files)
    with listen(options.host, options.port) as listener:
        async with _servers(options) as servers:
            common = _common_settings(options, servers)
            await prepare(common, processes=options.workers)
            requeued = await requeue_outboxes(common) if servers.log_is_new else {}
            services = build_services(SERVICES, common, market_data=sources)
            workers = _workers(options, common, sources)
            beside: list[Beside] = [*_kept(options, common, servers.embedded), *workers]
            others: list[Troubles] = [each.troubles for each in beside]
            if servers.embedded is not None:
                others.append(partial(disk_troubles, servers.embedded.directories))
            run = answering if workers else running
            app = build_app(services, common, title="SigmaSight", others=others, run=run)
            add_pages(app, url_of(listener))
            let_sign_in(app, common, people.users_file or users_file(options.data_dir.path))
            hosted = Hosted(
                url=url_of(listener),
                broker=servers.broker,
                database=servers.database,
                requeued=sum(requeued.values()),
                workers=tuple(worker.url for worker in workers),
            )

            def on_listening() -> None:
                options.data_dir.write_servers(servers_of(common))
                options.data_dir.write_endpoint(hosted.url)
                announce(hosted)

            try:
                await run_beside(beside, serve(app, listener, on_listening))
            finally:
                options.data_dir.remove_endpoint()


@asynccontextmanager
async def _servers(options: HostOptions) -> AsyncIterator[_Servers]:
    loading = asyncio.create_task(asyncio.to_thread(load_services))
    if options.database_url is None or options.bootstrap_servers is None:
        async with _embedded(options) as servers:
            await _ended(loading)
            yield servers
        return
    with DataDirectoryLock(options.data_dir.path):
        await _ended(loading)
        kind = BrokerKind(options.broker or BrokerKind.KAFKA)
        yield _Servers(
            database_url=options.database_url,
            bootstrap_servers=options.bootstrap_servers,
            kind=kind,
            log_is_new=False,
            broker=f"{kind.value} at {options.bootstrap_servers} (given)",
            database="PostgreSQL (given)",
        )


async def _ended(loading: asyncio.Task[None]) -> None:
    with timed("services are loaded"):
        await loading


@asynccontextmanager
async def _embedded(options: HostOptions) -> AsyncIterator[_Servers]:
    embedded = EmbeddedStack(options.data_dir.path, broker=options.broker)
    async with embedded as stack:
        name = {"kafka": "Apache Kafka", "tansu": "Tansu"}[stack.broker_kind]
        yield _Servers(
            database_url=stack.database_url,
            bootstrap_servers=stack.bootstrap_servers,
            kind=BrokerKind(stack.broker_kind),
            log_is_new=stack.log_is_new,
            broker=f"{name} {stack.broker_version} at {stack.bootstrap_servers} ({embedded.choice.why})",
            database=f"PostgreSQL {stack.database_version}",
            embedded=stack,
        )


def _kept(options: HostOptions, common: CommonSettings, stack: RunningStack | None) -> list[Kept]:
    if stack is None:
        return []

    async def rebuild() -> None:
        if stack.broker.log_is_new:
            await prepare(common, processes=options.workers)
            await requeue_outboxes(common)

    return [Kept(stack.postgres), Kept(stack.broker, rebuild)]


def _workers(options: HostOptions, common: CommonSettings, sources: MarketDataSettings) -> list[Worker]:
    # One does everything; several leave answers to a process of its own, which no night keeps from them.
    numbers = range(1, options.workers + 1) if options.workers > 1 else ()
    home = options.data_dir.path / "workers"
    if numbers:
        home.mkdir(exist_ok=True)
    return [
        Worker(
            number=number,
            # The same at the next start, for who collects the metrics of each process.
            port=remembered_port(home / f"{number}.port"),
            options=options.log_options,
            environment=environment_of(common, sources),
        )
        for number in numbers
    ]


def _common_settings(options: HostOptions, servers: _Servers) -> CommonSettings:
    settings = OpsSettings()
    password = settings.service_database_password
    if password is None and options.database_url is None:
        # On somebody else's server, roles get the password that was chosen for them, or are left alone.
        password = options.data_dir.keep_secret("service.password")
    # What the environment says of Kafka is about a broker that was given.
    is_given = servers.embedded is None
    protocol = KafkaSettings().kafka_security_protocol if is_given else SecurityProtocol.PLAINTEXT
    return CommonSettings(
        database_url=SecretStr(servers.database_url),
        service_database_password=password,
        bootstrap_servers=servers.bootstrap_servers,
        broker=servers.kind,
        kafka_security_protocol=protocol,
        viewer_token=settings.viewer_token or options.data_dir.keep_secret("viewer.token"),
        operator_token=settings.operator_token or options.data_dir.keep_secret("operator.token"),
        session_key=settings.session_key or options.data_dir.keep_secret("session.key"),
        factor_set=options.factor_set,
    )
