"""How a platform is: whether it is ready, its latest runs, and how far the newest is."""

import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, TypedDict

from rich.console import Group, RenderableType
from rich.live import Live

from services.ops.client.answers.runs import RunProgress, RunSummary
from services.ops.client.client import ApiClient
from services.ops.client.rendering import console, failure_table, stage_table, table
from services.ops.client.routes import READY, RUN, RUNS
from services.ops.errors import Refused, Unreachable

_WATCH_EVERY_S: Final = 0.5
_RUNS_SHOWN: Final = 10
_RUNS_WATCHED: Final = 5


class PlatformStatus(TypedDict):
    """How a platform is."""

    url: str
    state: str
    runs: list[RunSummary]
    newest: RunProgress | None


def watch_status(client: ApiClient) -> None:
    """Show the status over and over."""
    with Live(console=console(), auto_refresh=False) as live:
        while True:
            try:
                live.update(_watched(load_status(client)), refresh=True)
            except Unreachable as away:
                live.update(str(away), refresh=True)
            time.sleep(_WATCH_EVERY_S)


def load_status(client: ApiClient) -> PlatformStatus:
    """Return whether the platform is ready, its latest runs and how far the newest is.

    Raises
    ------
    Unreachable, Refused
        If nothing answers, or the answer is no.
    """
    try:
        ready = client.get(READY)["status"]
    except Refused as not_ready:
        if not_ready.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        ready = not_ready.detail
    runs = client.get(RUNS, limit=_RUNS_SHOWN)
    newest = client.get(RUN.at(run_id=runs[0]["run"]["run_id"])) if runs else None
    return {"url": client.url, "state": ready, "runs": runs, "newest": newest}


def print_status(found: PlatformStatus) -> None:
    """Show it on the terminal."""
    console().print(Group(_state(found), _run_table(found["runs"]), *_newest_tables(found)))


def _watched(found: PlatformStatus) -> RenderableType:
    # A terminal shows the top of what does not fit.
    stages, *failures = _newest_tables(found) or [""]
    return Group(_state(found), stages, _run_table(found["runs"][:_RUNS_WATCHED], id_length=8), *failures)


def _state(found: PlatformStatus) -> str:
    return f"{found['url']}: {found['state']}"


def _run_table(runs: Sequence[RunSummary], *, id_length: int | None = None) -> RenderableType:
    columns = ("requested at", "kind", "sessions", "status", "by", "run")
    rows = [
        (
            listed["requested_at"][:19],
            listed["run"]["kind"],
            f"{listed['run']['first_session']} to {listed['run']['last_session']}",
            listed["status"],
            listed["run"]["requested_by"],
            listed["run"]["run_id"][:id_length],
        )
        for listed in runs
    ]
    return table("runs", columns, rows) if rows else "no runs yet; begin with `sigmasight portfolios import`"


def _newest_tables(found: PlatformStatus) -> list[RenderableType]:
    newest = found["newest"]
    return [stage_table(newest), failure_table(newest) or ""] if newest else []
