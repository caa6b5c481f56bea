"""Starting things from the command line: the whole platform, services, preparation, rebuilding."""

import os
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

from aiokafka.errors import KafkaError
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from services.ops.board.routes import add_pages, board_alone
from services.ops.composition import build_services
from services.ops.data_directory import DataDirectory
from services.ops.errors import CommandError, Misused
from services.ops.hosting.garbage import look_for_it_rarely
from services.ops.hosting.host import Hosted, host
from services.ops.hosting.host_options import HostOptions, reasons
from services.ops.hosting.preparation import check_migrated, prepare
from services.ops.hosting.requeue import requeue_deleted
from services.ops.hosting.server import listen, run_until_told_to_stop, serve, url_of
from services.ops.people.ways import let_sign_in
from services.ops.settings import PeopleSettings
from services.ops.terminal import say
from shared.auth import Identified, person_of
from shared.bus.connection import BrokerRefuses
from shared.contracts.services import SERVICES
from shared.db.revisions import Step, UnfinishedUpgrade
from shared.errors import DRIVER_ERRORS
from shared.service import build_app
from shared.settings import CommonSettings


def run_platform(options: HostOptions) -> None:
    """Run everything until told to stop.

    Raises
    ------
    CommandError
        If a server cannot be run on this machine or in this directory.
    """

    def announce(hosted: Hosted) -> None:
        _say_begun("\n".join(_announcement(hosted, options)))

    run_to_end(host(options, announce))
    say("stopped")


def _announcement(hosted: Hosted, options: HostOptions) -> list[str]:
    lines = [
        f"SigmaSight listens on {hosted.url} (its API is described at {hosted.url}/docs)",
        f"  board       {hosted.url}/",
        f"  broker      {hosted.broker}",
        f"  database    {hosted.database}",
        f"  data        {options.data_dir.path.absolute()} (tokens for the API: viewer.token, operator.token)",
        f"  prices      {', '.join(options.providers)}",
        f"  factors     {' '.join(options.factor_set.tickers())}",
    ]
    if hosted.workers:
        lines.append(
            f"  processes   this one answers, {', '.join(hosted.workers)} work (/health/ready and /metrics of each)"
        )
    if hosted.requeued:
        lines.append(f"  rebuilt     the broker's log is new: {hosted.requeued} messages are published again")
    return [*lines, "  look        sigmasight status --watch", "  stop        Ctrl-C"]


def _say_begun(announcement: str) -> None:
    look_for_it_rarely()
    say(announcement)


def run_services(names: Sequence[str], host_name: str, port: int) -> None:
    """Run services until told to stop."""
    common, people, named = settings_from_environment(), PeopleSettings(), " ".join(names)

    async def main() -> None:
        with listen(host_name, port) as listener:
            services = build_services(names, common)
            await check_migrated(common, names)
            app = build_app(services, common, title=f"SigmaSight {named}")
            if set(names) == set(SERVICES):
                add_pages(app, url_of(listener))
                let_sign_in(app, people, people.users_file)
            await serve(app, listener, lambda: _say_begun(f"{named} listens on {url_of(listener)}"))

    run_to_end(main())


def run_board(platform: str, host_name: str, port: int) -> None:
    """Run the pages of a platform that runs elsewhere until told to stop."""
    people = PeopleSettings()

    async def main() -> None:
        with listen(host_name, port) as listener:
            said = f"the board of {platform} listens on {url_of(listener)}"
            app = board_alone(platform)
            if people.sessions is not None:
                app.add_middleware(Identified, identify=partial(person_of, sessions=people.sessions))
            let_sign_in(app, people, people.users_file)
            await serve(app, listener, lambda: _say_begun(said))

    run_to_end(main())


def run_preparation(step: Step | None) -> None:
    """Make the servers that the environment names ready."""
    run_to_end(prepare(settings_from_environment(), step=step))
    say("tables are as they stay" if step is Step.POST else "roles, schemas, tables and topics are there")


def run_requeue(common: CommonSettings) -> None:
    """Queue what the broker has lost."""

    async def main() -> None:
        requeued, deleted = await requeue_deleted(common)
        for service, messages in requeued.items():
            say(f"{service}: {messages} messages are published again")
        for each in deleted:
            say(f"{each.group} goes on at {each.stop} of {each.topic}/{each.partition}")

    run_to_end(main())


def run_to_end(main: Coroutine[Any, Any, None]) -> None:
    """Run something until it ends or is told to stop.

    Raises
    ------
    CommandError
        If the environment makes no sense, or a server cannot be used.
    """
    try:
        run_until_told_to_stop(main)
    except ValidationError as error:
        raise Misused(f"the environment makes no sense: {reasons(error)}") from error
    except DBAPIError as error:
        raise CommandError(f"the database cannot be used: {error.orig}") from error
    except (*DRIVER_ERRORS, OSError) as error:
        raise CommandError(f"a file, a port or the database cannot be used: {error}") from error
    except (BrokerRefuses, UnfinishedUpgrade) as error:
        raise CommandError(str(error)) from error
    except KafkaError as error:
        raise CommandError(f"the broker cannot be used: {error}") from error


def settings_of(data_dir: DataDirectory) -> CommonSettings:
    """Return the settings of the environment, where it names a database; else those of what runs on a directory.

    Raises
    ------
    Misused
        If there are neither.
    """
    servers = None if "DATABASE_URL" in os.environ else data_dir.find_servers()
    return settings_from_environment() if servers is None else CommonSettings.model_validate(servers)


def settings_from_environment() -> CommonSettings:
    """Return the settings that a service takes from its environment.

    Raises
    ------
    Misused
        If one is missing or makes no sense; it names them all.
    """
    try:
        return CommonSettings()
    except ValidationError as error:
        raise Misused(f"the environment is not complete: {reasons(error)}") from error
