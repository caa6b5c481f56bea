"""Commands that run the platform: `up`, `serve`, `board`, `migrate`."""

import gc
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.ops.errors import Misused
from services.ops.options import DEFAULT_DATA_DIR, DataDirOption, taking
from shared.contracts.services import SERVICES


class _Broker(StrEnum):
    KAFKA = "kafka"
    TANSU = "tansu"


class _LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


BrokerOption = Annotated[
    _Broker | None, typer.Option(help="Which broker to run; by default Kafka where its jars and Java are.")
]
_Host = Annotated[str, typer.Option(envvar="SIGMASIGHT_HOST", help="Where to listen.")]
_Port = Annotated[int, typer.Option(envvar="SIGMASIGHT_PORT", min=0, max=65535, help="0 takes a free one.")]


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """How much the services say."""

    log_level: Annotated[_LogLevel, typer.Option(envvar="LOG_LEVEL", help="Logs go to standard error.")] = (
        _LogLevel.INFO
    )
    json_logs: Annotated[bool, typer.Option("--json-logs", envvar="JSON_LOGS", help="One JSON object a line.")] = False

    def arguments(self) -> tuple[str, ...]:
        """Return them as they are given on a command line."""
        return ("--log-level", self.log_level.value, *(("--json-logs",) if self.json_logs else ()))

    def configure(self) -> None:
        """Apply them."""
        from shared.telemetry import configure_logging

        configure_logging(level=self.log_level.value.upper(), json_lines=self.json_logs)


@dataclass(frozen=True, kw_only=True)
class UpOptions(LogOptions):
    """The options of `up`."""

    data_dir: DataDirOption = DEFAULT_DATA_DIR
    host: _Host = "127.0.0.1"
    port: _Port = 8000
    broker: BrokerOption = None
    bootstrap_servers: Annotated[str | None, typer.Option(help="A broker that runs already.")] = None
    database_url: Annotated[str | None, typer.Option(help="A PostgreSQL that runs already, as administrator.")] = None
    providers: Annotated[
        str | None,
        typer.Option(envvar="MARKET_DATA_PROVIDERS", help="Price sources, asked in order, such as files,sample."),
    ] = None
    files: Annotated[
        Path | None, typer.Option(envvar="MARKET_DATA_FILES_DIR", help="Directory of the provider `files`.")
    ] = None
    factor_set: Annotated[
        str | None, typer.Option(envvar="FACTOR_SET", help="`default`, `sample` or JSON: which ticker is which factor.")
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(envvar="SIGMASIGHT_WORKERS", min=1, help="Processes that share the work; by default one a core."),
    ] = None


def _load_without_looking_for_garbage() -> None:
    """Leave it alone until what runs has begun: a start makes half a million objects that stay."""
    gc.disable()


@taking(UpOptions)
def up(options: UpOptions) -> None:
    """Run the whole platform until Ctrl-C.

    Database, broker, five services, one port.
    """
    if (options.bootstrap_servers is None) != (options.database_url is None):
        raise Misused("--bootstrap-servers and --database-url go together: give both, or neither")
    if options.broker is not None and options.bootstrap_servers is None:
        from services.ops.hosting.embedded.brokers import choose_broker

        choose_broker(options.broker.value)
    _load_without_looking_for_garbage()
    from services.ops.hosting.provider_chain import resolve_providers

    providers = resolve_providers(options.providers, options.files)
    from services.ops.data_directory import DataDirectory
    from services.ops.hosting.embedded.lock import check_free
    from services.ops.hosting.host_options import HostOptions, resolve_factor_set

    wanted = HostOptions(
        data_dir=DataDirectory(options.data_dir),
        host=options.host,
        port=options.port,
        broker=options.broker.value if options.broker else None,
        bootstrap_servers=options.bootstrap_servers,
        database_url=options.database_url,
        providers=providers,
        files=options.files,
        factor_set=resolve_factor_set(options.factor_set, providers),
        workers=options.workers or os.cpu_count() or 1,
        log_options=options.arguments(),
    )
    check_free(options.data_dir)
    # Last, since it loads the services: nobody waits for that to be refused.
    from services.ops.hosting.running import run_platform

    options.configure()
    run_platform(wanted)


@dataclass(frozen=True, kw_only=True)
class ServeOptions(LogOptions):
    """The options of `serve`."""

    services: Annotated[list[str], typer.Argument(metavar="SERVICE...", help=f"Of {', '.join(SERVICES)}.")]
    host: _Host = "127.0.0.1"
    port: _Port = 8000


@taking(ServeOptions)
def serve(options: ServeOptions) -> None:
    """Run services on servers that run already, as a container does.

    Settings come from the environment.
    """
    for service in options.services:
        if service not in SERVICES:
            raise Misused(f"SERVICE must be one of {', '.join(SERVICES)}, was {service!r}")
    _load_without_looking_for_garbage()
    from services.ops.hosting.running import run_services

    options.configure()
    run_services(tuple(dict.fromkeys(options.services)), options.host, options.port)


@dataclass(frozen=True, kw_only=True)
class BoardOptions(LogOptions):
    """The options of `board`."""

    platform: Annotated[str, typer.Argument(metavar="URL", help="The address of the platform's API.")]
    host: _Host = "127.0.0.1"
    port: _Port = 8000


@taking(BoardOptions)
def board(options: BoardOptions) -> None:
    """Run the pages of a platform that is elsewhere.

    As a container does; `up`, and `serve` of all services, have them at their own address.
    """
    if not options.platform.startswith(("http://", "https://")):
        raise Misused(f"URL must begin with http:// or https://, was {options.platform!r}")
    _load_without_looking_for_garbage()
    from services.ops.hosting.running import run_board

    options.configure()
    run_board(options.platform, options.host, options.port)


class _Step(StrEnum):
    PRE = "pre"
    POST = "post"


@dataclass(frozen=True, kw_only=True)
class MigrateOptions(LogOptions):
    """The options of `migrate`."""

    step: Annotated[
        _Step | None, typer.Option(help="Before new code begins, or after old code has ended; by default both.")
    ] = None


@taking(MigrateOptions)
def migrate(options: MigrateOptions) -> None:
    """Create roles, schemas, tables and topics.

    On the servers that the environment names; safe to repeat.
    """
    from services.ops.hosting.running import run_preparation
    from shared.db.revisions import Step

    options.configure()
    run_preparation(None if options.step is None else Step(options.step.value))
