"""How a platform is: whether it is ready, its latest runs, and how far the newest is."""

import time
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Final, TypedDict

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from services.ops.client.answers.letters import LetterCounts
from services.ops.client.answers.runs import RunReport, RunSummary
from services.ops.client.client import ApiClient
from services.ops.client.letters import letters_line
from services.ops.client.lookup import load_portfolios
from services.ops.client.paging import PAGE, load_list
from services.ops.client.portfolio_overview import banner
from services.ops.client.progress import load_run
from services.ops.client.rendering import cause_table, console, run_table, stage_table
from services.ops.client.routes import LETTER_COUNTS, READY, RUNS, SNAPSHOTS
from services.ops.errors import Refused, Unreachable

_WATCH_EVERY_S: Final = 0.5
_RUNS_SHOWN: Final = 10
_RUNS_WATCHED: Final = 5
_BOOKS_SHOWN: Final = 5


class PlatformStatus(TypedDict):
    """How a platform is."""

    url: str
    state: str
    remarks: str | None
    runs: list[RunSummary]
    newest: RunReport | None
    dead_letters: LetterCounts


class LookedAt(PlatformStatus):
    """How a platform is, and whose marks are old at the last session of the newest run, by portfolio."""

    old_marks: dict[str, str]


def watch_status(client: ApiClient) -> None:
    """Show the status over and over."""
    with Live(console=console(), auto_refresh=False) as live:
        while True:
            try:
                live.update(_watched(_load_runs(client)), refresh=True)
            except Unreachable as away:
                live.update(str(away), refresh=True)
            time.sleep(_WATCH_EVERY_S)


def load_status(client: ApiClient) -> LookedAt:
    """Return whether the platform is ready, its latest runs, how far the newest is, and which books have old marks.

    Raises
    ------
    Unreachable, Refused
        If nothing answers, or the answer is no.
    """
    found = _load_runs(client)
    newest = found["newest"]
    return {**found, "old_marks": _old_marks(client, newest["run"]["last_session"]) if newest else {}}


def _old_marks(client: ApiClient, session: str) -> dict[str, str]:
    snapshots = load_list(client, SNAPSHOTS, limit=PAGE, first=session, last=session)
    stale = sorted((each for each in snapshots if each["stale_positions"]), key=lambda each: -each["oldest_mark"])
    names = {entry["portfolio_id"]: entry["name"] for entry in load_portfolios(client)} if stale else {}
    return {names[each["portfolio_id"]]: " ".join(banner(each)) for each in stale}


def _load_runs(client: ApiClient) -> PlatformStatus:
    try:
        answer = client.get(READY)
        ready, remarks = answer["status"], answer.get("remarks")
    except Refused as not_ready:
        if not_ready.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        ready, remarks = not_ready.detail, None
    runs = client.get(RUNS, limit=_RUNS_SHOWN)["items"]
    newest = load_run(client, runs[0]["run"]["run_id"]) if runs else None
    letters = client.get(LETTER_COUNTS)
    return {
        "url": client.url,
        "state": ready,
        "remarks": remarks,
        "runs": runs,
        "newest": newest,
        "dead_letters": letters,
    }


def print_status(found: LookedAt) -> None:
    """Show it on the terminal."""
    console().print(
        Group(_state(found), *_told_marks(found["old_marks"]), _runs(found["runs"]), *_newest_tables(found))
    )


def _told_marks(old: Mapping[str, str]) -> Iterator[Text]:
    yield from (Text(f"{name}: {told}") for name, told in islice(old.items(), _BOOKS_SHOWN))
    if len(old) > _BOOKS_SHOWN:
        yield Text(f"and {len(old) - _BOOKS_SHOWN} portfolios more with carried marks")


def _watched(found: PlatformStatus) -> RenderableType:
    # A terminal shows the top of what does not fit.
    stages, *causes = _newest_tables(found) or [""]
    return Group(_state(found), stages, _runs(found["runs"][:_RUNS_WATCHED], id_length=8), *causes)


def _state(found: PlatformStatus) -> str:
    letters = letters_line(found["dead_letters"])
    return "\n".join(filter(None, (f"{found['url']}: {found['state']}", found["remarks"], letters)))


def _runs(runs: Sequence[RunSummary], *, id_length: int | None = None) -> RenderableType:
    return run_table(runs, id_length=id_length) if runs else "no runs yet; begin with `sigmasight portfolios import`"


def _newest_tables(found: PlatformStatus) -> list[RenderableType]:
    newest = found["newest"]
    return [stage_table(newest), cause_table(newest) or ""] if newest else []
