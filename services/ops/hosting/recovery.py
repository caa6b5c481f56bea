"""Commands that go back to what was announced: `requeue`, `rebuild`, `replay`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from services.ops.errors import Misused
from services.ops.hosting.commands import LogOptions
from services.ops.likeness import meant
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
        raise Misused(f"SERVICE must be {_one_of(SERVICES, options.service)}")
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


def _one_of(known: Sequence[str], was: str) -> str:
    return f"one of {', '.join(known)}, was {was!r}{meant([was], known)}"


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"must be like 2026-11-30 or 2026-11-30T02:15:00, was {text}") from None
    try:
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except OverflowError:
        raise typer.BadParameter(f"must lie between the years 1 and 9999 in UTC, was {text}") from None


@dataclass(frozen=True, kw_only=True)
class ReplayOptions(ServersOptions):
    """The options of `replay`."""

    topic: Annotated[str, typer.Argument(help="Whose messages, such as prices.updated.")]
    since: Annotated[
        datetime, typer.Option("--from", parser=_instant, metavar="INSTANT", help="The first instant; UTC, or offset.")
    ]
    until: Annotated[
        datetime, typer.Option("--to", parser=_instant, metavar="INSTANT", help="The instant after the last one.")
    ]
    service: Annotated[
        str | None, typer.Option(help="Only this service takes them in; else its runs are run again.")
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False


@taking(ReplayOptions)
def replay(options: ReplayOptions) -> None:
    """Send again what was announced on a topic.

    To one service, or through the chain as runs of their own; the same again changes nothing.
    """
    from shared.contracts.catalogue import EVENTS

    if options.topic not in EVENTS:
        raise Misused(f"TOPIC must be {_one_of(sorted(EVENTS), options.topic)}")
    if options.since >= options.until:
        raise Misused(f"--from must be before --to {options.until.isoformat()}, was {options.since.isoformat()}")
    if options.service is not None and options.service not in SERVICES:
        raise Misused(f"--service must be {_one_of(SERVICES, options.service)}")
    from services.ops.hosting.replay import Replay, replay_through_chain, replay_to_service
    from services.ops.hosting.running import run_to_end

    wanted = Replay(options.topic, options.since, options.until, options.service)
    send = replay_through_chain if options.service is None else replay_to_service
    run_to_end(send(options.settings(), wanted, dry_run=options.dry_run))
