"""Commands that go back to what was announced: `requeue`, `rebuild`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from services.ops.errors import Misused
from services.ops.hosting.commands import LogOptions
from services.ops.options import DEFAULT_DATA_DIR, DataDirOption, taking
from shared.contracts.services import SERVICES

if TYPE_CHECKING:
    from shared.settings import CommonSettings


@dataclass(frozen=True, kw_only=True)
class ServersOptions(LogOptions):
    """Whose servers: those that the environment names, or those of what runs on a data directory."""

    data_dir: DataDirOption = DEFAULT_DATA_DIR

    def settings(self) -> "CommonSettings":
        """Return where the servers are."""
        from services.ops.data_directory import DataDirectory
        from services.ops.hosting.running import settings_of

        self.configure()
        return settings_of(DataDirectory(self.data_dir))


@taking(ServersOptions)
def requeue(options: ServersOptions) -> None:
    """Publish again what unfinished runs need.

    After the broker has lost its log.
    """
    from services.ops.hosting.running import run_requeue

    run_requeue(options.settings())


class _Then(StrEnum):
    DIFF = "diff"
    PROMOTE = "promote"
    DISCARD = "discard"


@dataclass(frozen=True, kw_only=True)
class RebuildOptions(ServersOptions):
    """The options of `rebuild`."""

    service: Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]
    then: Annotated[_Then | None, typer.Argument(help="What to do with what is beside the service.")] = None
    beside: Annotated[
        bool, typer.Option("--beside", help="Leave it beside the service, to be compared and decided about.")
    ] = False
    nights: Annotated[
        int | None, typer.Option(min=1, help="Compute only so many of the last sessions, from what is there before.")
    ] = None
    json: Annotated[bool, typer.Option("--json", help="Print differences as JSON.")] = False


@taking(RebuildOptions)
def rebuild(options: RebuildOptions) -> None:
    """Compute a service's tables anew from events.

    Beside those that serve, which it replaces where nothing contradicts them; else it says what differs.
    """
    if options.service not in SERVICES:
        raise Misused(f"SERVICE must be one of {', '.join(SERVICES)}, was {options.service!r}")
    if options.then is not None and (options.beside or options.nights is not None):
        raise Misused(f"--beside and --nights make something beside {options.service}: not with {options.then.value}")
    from services.ops.hosting import rebuilding
    from services.ops.hosting.running import run_to_end

    common = options.settings()
    if options.then is None:
        work = rebuilding.fill_and_promote(common, options.service, nights=options.nights, beside=options.beside)
    elif options.then is _Then.DIFF:
        work = rebuilding.diff(common, options.service, as_json=options.json)
    elif options.then is _Then.PROMOTE:
        work = rebuilding.promote(common, options.service)
    else:
        work = rebuilding.discard(common, options.service)
    run_to_end(work)
