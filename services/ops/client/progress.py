"""Following a run to its end, with a bar per stage for whoever is watching."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.ops.client.answers.runs import RunProgress, RunReport
from services.ops.client.client import ApiClient
from services.ops.client.rendering import console
from services.ops.client.routes import CAUSES, FINDING_COUNTS, REQUESTS, RUN, Answer, Route
from services.ops.errors import Refused, Unreachable
from services.ops.terminal import say

_LOOK_EVERY_S = 0.15
# A platform that is started again finishes its runs: whoever follows one need not know that it was away.
_AWAY_AT_MOST_S = 60.0
MAX_FAILURES_SHOWN = 1000


def load_run(client: ApiClient, run_id: str) -> RunReport:
    """Return a run as it stands.

    Raises
    ------
    Unreachable, Refused
        If nothing answers, or there is no such run.
    """
    return _reported(client, client.get(RUN.at(run_id=run_id), failures=MAX_FAILURES_SHOWN))


def _reported(client: ApiClient, run: RunProgress) -> RunReport:
    run_id = run["run"]["run_id"]
    causes = client.get(CAUSES.at(run_id=run_id))["items"] if run["failures"] else []
    findings, requests = client.get(FINDING_COUNTS, run_id=run_id), client.get(REQUESTS, run_id=run_id)
    return {**run, "causes": causes, "findings": findings, "requests": requests}


def follow_run(client: ApiClient, run_id: str) -> RunReport:
    """Return the run when it has ended; its progress is drawn on standard error meanwhile.

    Raises
    ------
    Unreachable, Refused
        If the platform stays away for longer than a restart takes, or does not hear of the run.
    """
    then = f"`sigmasight runs logs {run_id} --follow` follows it, `sigmasight runs cancel {run_id}` ends it"
    with going_on(f"run {run_id}", then), _drawing() as draw:
        while True:
            run = read_patiently(client, RUN.at(run_id=run_id), failures=MAX_FAILURES_SHOWN)
            draw.update(run)
            if run["status"] != "active":
                return _reported(client, run)
            time.sleep(_LOOK_EVERY_S)


@contextmanager
def going_on(what: str, then: str) -> Iterator[None]:
    """Tell whoever stops following something that it goes on, and what to do about it."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"{what} goes on; {then}", err=True)
        raise


def read_patiently(client: ApiClient, route: Route[Answer], **query: object) -> Answer:
    """Return what a route answers, also when the platform is being started again.

    Raises
    ------
    Unreachable, Refused
        If it stays away for longer than a restart takes, or does not hear of it.
    """
    began = time.monotonic()
    while True:
        try:
            return client.get(route, **query)
        except (Unreachable, Refused) as error:
            if not _passes(error) or time.monotonic() - began > _AWAY_AT_MOST_S:
                raise
        time.sleep(_LOOK_EVERY_S)


def _passes(error: Unreachable | Refused) -> bool:
    # The ledger learns of a run that another service began by the event that opens it.
    return isinstance(error, Unreachable) or error.status in {404, 503}


class _Progress(Protocol):
    def update(self, run: RunProgress) -> None: ...


class _StageBars:
    """A bar per stage, for a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def update(self, run: RunProgress) -> None:
        for stage in run["stages"]:
            name = stage["stage"]
            if name not in self._bars:
                self._bars[name] = self._progress.add_task(name, total=None)
            self._progress.update(self._bars[name], completed=stage["parts_done"], total=stage["parts_total"])


class _StageLines:
    """A line when a stage has every part, for a file."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: set[str] = set()

    def update(self, run: RunProgress) -> None:
        for stage in run["stages"]:
            if stage["parts_done"] == stage["parts_total"] and stage["stage"] not in self._told:
                self._told.add(stage["stage"])
                line = f"{stage['stage']}: {stage['parts_done']} parts, {stage['failures']} failures"
                self._console.print(line)


@contextmanager
def _drawing() -> Iterator[_Progress]:
    shown = console(stderr=True)
    if not shown.is_terminal:
        yield _StageLines(shown)
        return
    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=shown, transient=True) as progress:
        yield _StageBars(progress)
