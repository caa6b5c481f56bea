"""What the command `rebuild` does, and says."""

import json
from dataclasses import asdict

from services.ops.hosting.changes import Change, changes, contradicted
from services.ops.hosting.rebuild import Rebuild
from services.ops.terminal import say
from shared.settings import CommonSettings


async def fill_and_promote(common: CommonSettings, service: str, *, nights: int | None, beside: bool) -> None:
    """Fill the tables of a service beside it; take them over, unless they are to stay or contradict what serves."""
    rebuild = Rebuild(common, service)
    work = await rebuild.fill(nights=nights)
    say(f"{service}: {work.fed} messages were taken in, {work.refused} could not be processed")
    found = await rebuild.differences()
    say(_summary(changes(service, found)))
    if beside or contradicted(found):
        say(f"nothing has been taken over: `sigmasight rebuild {service} diff`, `promote` or `discard`")
    else:
        await promote(common, service)


async def diff(common: CommonSettings, service: str, *, as_json: bool) -> None:
    """Say which numbers differ between what serves and what is beside it."""
    found = changes(service, await Rebuild(common, service).differences())
    if as_json:
        say(json.dumps([asdict(change) for change in found], indent=2))
        return
    for change in found:
        say(_line(change))
    say(_summary(found))


async def promote(common: CommonSettings, service: str) -> None:
    """Take over what is beside a service."""
    await Rebuild(common, service).promote()
    say(f"{service}: taken over; others hear of what is new with the next run over these sessions")


async def discard(common: CommonSettings, service: str) -> None:
    """Drop what is beside a service."""
    await Rebuild(common, service).discard()
    say(f"{service}: what was beside it is dropped")


def _summary(found: list[Change]) -> str:
    if not found:
        return "nothing differs"
    numbers = [change for change in found if change.number is not None]
    rows = len(found) - len(numbers)
    subjects, sessions = ({getattr(change, name) for change in found} for name in ("subject", "session"))
    said = f"{len(numbers)} numbers differ, {rows} rows are on one side only"
    return f"{said}; of {len(subjects)} subjects and {len(sessions)} sessions"


def _line(change: Change) -> str:
    where = f"{change.session} {change.subject} {change.table}"
    if change.number is None:
        return f"{where}: only {'beside' if change.beside else 'live'}"
    by = "" if change.by is None else f" ({change.by:+g})"
    return f"{where} {change.number}: {change.live} -> {change.beside}{by}"
