"""What the commands about the audit do: it is read with the roles of the services, as nobody over HTTP can."""

import json
from collections.abc import Mapping, Sequence

from services.ops.errors import CommandError, Misused
from services.ops.terminal import say
from shared.db.audit import AUDITED, Broken, Noted, list_newest, verify
from shared.db.unit_of_work import one_transaction
from shared.settings import CommonSettings, service_database_url


async def show_actions(common: CommonSettings, *, limit: int, as_json: bool) -> None:
    """Show the newest actions of all services, the oldest of them first."""
    found: list[tuple[str, Noted]] = []
    for service in AUDITED:
        async with one_transaction(service_database_url(common, service), service=service) as connection:
            found += [(service, action) for action in await list_newest(connection, limit=limit)]
    newest = sorted(found, key=lambda each: each[1].at)[-limit:]
    if as_json:
        say(json.dumps([{"service": service, **action._asdict()} for service, action in newest], indent=2, default=str))
        return
    for service, action in newest:
        who = f"{action.principal} ({action.role})"
        say(f"{action.at:%Y-%m-%dT%H:%M:%SZ}  {service}  {who}  {action.action}  {action.target}  {action.outcome}")


async def verify_actions(common: CommonSettings, seen: Mapping[str, Mapping[int, str]]) -> None:
    """Say that nothing of what was noted was changed, removed or put elsewhere, and how far that goes.

    Raises
    ------
    CommandError
        Where it was, naming the first row that shows it.
    """
    broken = []
    for service in AUDITED:
        async with one_transaction(service_database_url(common, service), service=service) as connection:
            try:
                last = await verify(connection, seen.get(service, {}))
            except Broken as error:
                broken.append(f"{service}: {error}")
                continue
        said = "nothing was done" if last is None else f"{last.place} actions hold, up to {last.at:%Y-%m-%dT%H:%M:%SZ}"
        say(f"{service}: {said}" + ("" if last is None else f"; --seen {service}:{last.place}:{last.hash}"))
    if broken:
        raise CommandError("; ".join(broken))


def seen_rows(texts: Sequence[str]) -> dict[str, dict[int, str]]:
    """Return what `verify` has said before, by service and place.

    Raises
    ------
    Misused
        If a text is none of that.
    """
    rows: dict[str, dict[int, str]] = {}
    for text in texts:
        service, place, hashed = [*text.split(":"), "", ""][:3]
        if service not in AUDITED or not place.isdecimal() or not hashed:
            raise Misused(f"--seen must be SERVICE:PLACE:HASH, as `audit verify` says it, was {text!r}")
        rows.setdefault(service, {})[int(place)] = hashed
    return rows
