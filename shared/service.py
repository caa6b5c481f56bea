"""Hosting: one service or several as one ASGI application on one port, with their consumers and relays."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import sqlalchemy as sa
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi_offline import FastAPIOffline
from faststream.kafka import KafkaBroker
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import actions
from shared.admission import Admission
from shared.auth import SAFE, Authenticator, Identified, caller_of
from shared.bus.access import Needs, broker_answers, check_access
from shared.bus.broker import CAPABILITIES, build_broker
from shared.bus.connection import BrokerRefuses, Connection
from shared.bus.consume import Consume
from shared.bus.deleted import groups_of
from shared.bus.doorbell import doorbell, rest_while_idle
from shared.bus.fan_in import FanIn
from shared.bus.gauges import read_lag, read_outbox
from shared.bus.patience import wait_while_idle
from shared.bus.relay import OutboxRelay
from shared.contracts.catalogue import written_topics
from shared.db.audit import ACTION, MAX_TARGET_CHARS, Action
from shared.db.engine import build_engine, plain_url
from shared.db.ownership import OWNERS, owns_all
from shared.db.unit_of_work import UnitOfWorkFactory
from shared.errors import is_transient
from shared.metrics.catalogue import DATABASE
from shared.metrics.exposition import CONTENT_TYPE, Scraped, exposition
from shared.metrics.service_metrics import GaugeReader, Reading, ServiceMetrics
from shared.openapi import complete, refuse_unknown_parameters, refused
from shared.past import of_what_is_kept
from shared.paths import API
from shared.problems import Problem, Problems, answer_with_problems, install_problem_handlers
from shared.request_bodies import RequestBodies
from shared.request_metrics import SERVICE, RequestMetrics
from shared.settings import CommonSettings, kafka_connection, service_database_url
from shared.telemetry import log_context, timed
from shared.together import together
from shared.tracing import Tracing
from shared.validators import StillHolds, answer_held

log = structlog.get_logger("service")

BACKGROUND_PAUSE_S = 5.0
ACCESS_PAUSE_S = 25.0
# Who asks gives up after ten seconds: a database or a broker that hangs must not take the rest of an answer with it.
ANSWERS_WITHIN_S = 4.0

# What keeps somebody from working; nothing, where all is well.
Troubles = Callable[[], Awaitable[list[str]]]
Job = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Service:
    """The parts of one service, built by its composition root."""

    name: str
    engine: AsyncEngine
    unit_of_work: UnitOfWorkFactory
    connection: Connection
    broker: KafkaBroker
    relay: OutboxRelay
    consume: Consume
    metrics: ServiceMetrics
    tracing: Tracing = field(default_factory=Tracing)
    router: APIRouter = field(default_factory=APIRouter)
    problems: Problems = field(default_factory=dict)
    gauges: list[GaugeReader] = field(default_factory=lambda: [read_outbox])
    fan_ins: list[FanIn] = field(default_factory=list)
    resting: list[Job] = field(default_factory=list)
    background: list[Job] = field(default_factory=list)
    # What answers need to go on, also in a process that does nothing else.
    answering: list[Job] = field(default_factory=list)
    warm_up: list[Job] = field(default_factory=list)
    # What ends answers that would go on for ever: a stop waits for the ones that are being written.
    closing: list[Callable[[], None]] = field(default_factory=list)
    # What does not keep the service from working.
    remarks: list[Callable[[], Awaitable[list[str]]]] = field(default_factory=list)
    # What the consumers held: connections to others.
    released: list[Job] = field(default_factory=list)


def build_service(name: str, settings: CommonSettings) -> Service:
    """Return a service with its engine, broker and relay; nothing is connected yet."""
    url = service_database_url(settings, name)
    engine = build_engine(url, service=name, limits=settings.database_limits)
    unit_of_work = UnitOfWorkFactory(engine, source=name)
    metrics = ServiceMetrics(name)
    connection = kafka_connection(settings, name)
    broker = build_broker(connection, service=name, metrics=metrics)
    relay = OutboxRelay(plain_url(url.get_secret_value()), connection, settings.broker, service=name, metrics=metrics)
    capabilities = CAPABILITIES[settings.broker]
    tracing = _tracing(name, settings)
    consume = Consume(broker, unit_of_work, metrics=metrics, capabilities=capabilities, tracer=tracing.tracer)
    service = Service(name, engine, unit_of_work, connection, broker, relay, consume, metrics, tracing)
    idle = rest_while_idle if capabilities.consumers_rest else wait_while_idle
    service.resting.append(partial(idle, broker, doorbell(settings.bootstrap_servers)))
    return service


def _tracing(name: str, settings: CommonSettings) -> Tracing:
    if not settings.otel_exporter_otlp_endpoint:
        return Tracing()
    # What makes and sends spans costs a third of a second to load.
    from shared.otlp import build_tracing  # noqa: PLC0415

    return build_tracing(settings.otel_exporter_otlp_endpoint, service=name)


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    """Run a service: relay and sweepers first, consumers last; stopped the other way round.

    Raises
    ------
    BrokerRefuses
        If the broker does not let it do its work.
    """
    await check_access(service.connection, needs_of(service))
    for prepare in service.warm_up:
        await prepare()
    async with service.unit_of_work() as uow:
        for fan_in in service.fan_ins:
            await fan_in.extend_deadlines(uow)
    looking = partial(service.consume.keep_looking, service.connection)
    own: list[Job] = [service.relay.run, partial(_keep_checking, service), looking]
    if service.fan_ins:
        own.append(partial(_close_overdue, service))
    async with _with_jobs(service, [*own, *service.resting, *service.background, *service.answering]):
        try:
            await service.consume.start(service.connection)
            yield
        finally:
            await service.broker.stop()


@asynccontextmanager
async def answering(service: Service) -> AsyncIterator[None]:
    """Run what answers requests, and nothing else: other processes have the relay, the sweepers and the consumers."""
    async with _with_jobs(service, service.answering):
        yield


@asynccontextmanager
async def _with_jobs(service: Service, jobs: Sequence[Job]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(_supervised(service, job)) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *(release() for release in service.released), return_exceptions=True)
        await service.engine.dispose()
        await asyncio.to_thread(service.tracing.close)


async def _supervised(service: Service, job: Job) -> None:
    # Jobs are one round of a sweep, or endless; one that died silently would stop the chain without a trace.
    with log_context(service=service.name):
        while True:
            try:
                await job()
            except BrokerRefuses as refusal:
                log.critical("the broker refuses the service", why=str(refusal))
                service.consume.given_up.set()
                return
            except Exception:
                log.exception("background job failed")
            await asyncio.sleep(BACKGROUND_PAUSE_S)


def needs_of(service: Service) -> Needs:
    """Return what a broker has to allow a service."""
    groups = groups_of(service.broker)
    reads = frozenset(topic for topics in groups.values() for topic in topics)
    return Needs(reads=reads, writes=written_topics(service.name, reads), groups=frozenset(groups))


async def _keep_checking(service: Service) -> None:
    # What was allowed at the start may be taken away: no client of Kafka ends for that.
    await asyncio.sleep(ACCESS_PAUSE_S)
    await check_access(service.connection, needs_of(service))


async def _close_overdue(service: Service) -> None:
    for fan_in in service.fan_ins:
        async with service.unit_of_work() as uow:
            for run in await fan_in.close_overdue(uow):
                log.warning("fan-in closed by its deadline", barrier=fan_in.name, run=str(run.run_id))


def build_app(
    services: Sequence[Service],
    settings: CommonSettings,
    *,
    title: str,
    others: Sequence[Troubles] = (),
    run: Callable[[Service], AbstractAsyncContextManager[None]] = running,
) -> FastAPI:
    """Return one application that serves and runs the given services; `others` tell of processes that work with it.

    With `answering` for `run` they do all that is done.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            with timed("services are up", services=" ".join(service.name for service in services)):
                await together(*(stack.enter_async_context(run(service)) for service in services))
            yield

    authenticate = Authenticator(
        viewer_token=settings.viewer_token, operator_token=settings.operator_token, sessions=settings.sessions
    )
    app = FastAPIOffline(title=title, version="0.1.0", lifespan=lifespan, static_url="/docs/assets", redoc_url=None)
    app.state.closing = [close for service in services for close in service.closing]
    app.state.given_up = [service.consume.given_up for service in services]
    app.add_middleware(RequestBodies)
    app.add_middleware(Identified, identify=authenticate.identify)
    app.add_middleware(RequestMetrics, metrics={service.name: service.metrics for service in services})
    install_problem_handlers(app)
    app.add_exception_handler(StillHolds, answer_held)
    complete(app)
    known, guarded = Depends(authenticate), [Depends(authenticate), Depends(refuse_unknown_parameters)]
    for service in services:
        answer_with_problems(app, service.problems)
        admitted, audited = (Depends(each, scope="function") for each in (Admission(), _audited(service)))
        theirs, kept = Depends(_of_the_caller(service)), Depends(of_what_is_kept(service.unit_of_work))
        own = [Depends(_answered_by(service.name)), known, audited, *guarded, admitted, theirs, kept]
        for router in (service.router, actions.build_router(service.unit_of_work, service.name, settings.statements)):
            app.include_router(router, prefix=API, dependencies=own, tags=[service.name])
    look = _troubles if run is running else _without_database
    asked: list[Troubles] = [*(partial(look, service) for service in services), *others]
    remarked = [remark for service in services for remark in service.remarks]
    stuck = [service.consume.stuck for service in services]
    app.include_router(_health(asked, remarked, stuck), dependencies=guarded, tags=["health"])
    app.include_router(_metrics(services), dependencies=guarded, tags=["metrics"])
    return app


def _answered_by(service: str) -> Callable[[Request], AsyncIterator[None]]:
    async def answered_by(request: Request) -> AsyncIterator[None]:
        request.scope[SERVICE] = service
        with log_context(service=service):
            yield

    return answered_by


def _audited(service: Service) -> Callable[[Request], AsyncIterator[None]]:
    async def audited(request: Request) -> AsyncIterator[None]:
        """Note what was done, in the transaction that did it; what was refused or stored nothing, afterwards."""
        caller = caller_of(request)
        if caller is None or request.method in SAFE:
            yield
            return
        action = Action(
            caller.name,
            caller.role.name.lower(),
            f"{request.method} {request.scope['route'].path}",
            request.url.path[:MAX_TARGET_CHARS],
        )
        token = ACTION.set(action)
        try:
            yield
        except Exception as error:
            action.outcome = f"refused: {error.status if isinstance(error, Problem) else type(error).__name__}"
            raise
        finally:
            try:
                if not action.is_noted:
                    await _note(service)
            finally:
                ACTION.reset(token)

    return audited


async def _note(service: Service) -> None:
    try:
        async with service.unit_of_work():
            pass
    except Exception:
        # The answer is what it is: a database that is away keeps nothing, and did nothing.
        log.exception("an action could not be noted", service=service.name)


def _of_the_caller(service: Service) -> Callable[[Request], Awaitable[None]]:
    async def of_the_caller(request: Request) -> None:
        """Answer as if a portfolio were not there that is named in path or query and is not the caller's to see."""
        caller = caller_of(request)
        if caller is None or caller.sees_all or service.name not in OWNERS:
            return
        named = [*request.query_params.getlist("portfolio_id"), request.path_params.get("portfolio_id")]
        ids = [portfolio_id for portfolio_id in map(_uuid, named) if portfolio_id is not None]
        if not ids:
            return
        async with service.unit_of_work.overseeing() as connection:
            if not await owns_all(caller, ids, connection, service=service.name):
                raise Problem(404, f"no portfolio {', '.join(map(str, ids))}")

    return of_the_caller


def _uuid(text: str | None) -> UUID | None:
    # What is none, the route refuses.
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return None


def _health(
    asked: Sequence[Troubles], remarked: Sequence[Troubles], stuck: Sequence[Callable[[], list[str]]]
) -> APIRouter:
    router = APIRouter(prefix="/health")

    @router.get("/live", responses=refused(503))
    async def live() -> dict[str, str]:
        """Tell that the process answers, and that no consumer has stopped in a message: only a restart would help."""
        found = [topic for each in stuck for topic in each()]
        if found:
            raise Problem(503, f"no progress: {', '.join(found)}")
        return {"status": "live"}

    @router.get("/ready", responses=refused(503))
    async def ready() -> dict[str, str]:
        """Tell that every service has its database, its broker and its partitions, and no consumer that pauses.

        `remarks` says what else is wrong and keeps nobody from working: vendors that are not asked at the moment.
        """
        found = await asyncio.gather(*(troubles() for troubles in asked))
        troubles = [trouble for each in found for trouble in each]
        if troubles:
            raise Problem(503, "; ".join(troubles))
        remarks = [each for remark in remarked for each in await remark()]
        return {"status": "ready", **({"remarks": "; ".join(remarks)} if remarks else {})}

    return router


async def _without_database(service: Service) -> list[str]:
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S), service.unit_of_work.overseeing() as connection:
            await connection.execute(sa.text("SELECT 1"))
    except Exception as error:  # noqa: BLE001 - whatever it is, the service cannot work
        # Anybody may ask: errors of the driver say where the database is.
        log.warning("no database", service=service.name, error=f"{error!r:.300}")
        return [f"{service.name} has no database"]
    return []


async def _troubles(service: Service) -> list[str]:
    if without := await _without_database(service):
        return without
    if not service.consume.has_started:
        return [f"{service.name} does not consume yet"]
    if not await broker_answers(service.connection, within_s=ANSWERS_WITHIN_S):
        return [f"{service.name} has no broker"]
    return [*service.consume.troubles(), *service.relay.troubles()]


def _metrics(services: Sequence[Service]) -> APIRouter:
    router = APIRouter()

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Return what Prometheus collects: the metrics of every service of this process."""
        scraped = await asyncio.gather(*(_scrape(service) for service in services))
        return Response(exposition(scraped), media_type=CONTENT_TYPE)

    return router


async def _scrape(service: Service) -> Scraped:
    readings = await read_lag(service.broker, service.connection, within_s=ANSWERS_WITHIN_S)
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S), service.unit_of_work.overseeing() as connection:
            for read in service.gauges:
                readings += await read(connection)
        readings.append(Reading(DATABASE, 1))
    except Exception as error:
        if not is_transient(error):
            log.exception("gauges cannot be read", service=service.name)
        readings.append(Reading(DATABASE, 0))
    return Scraped(service.metrics, readings)
