"""Backfills on the terminal: their plan, their progress, and what failed."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from services.ops.client.answers.backfills import Backfill, Plan, Retry, Step, StepOutcome
from services.ops.client.answers.vendors import RunRequests
from services.ops.client.asker import asker
from services.ops.client.client import ApiClient
from services.ops.client.lookup import find_portfolio
from services.ops.client.paging import load_list
from services.ops.client.progress import going_on, read_patiently
from services.ops.client.rendering import console, number, table
from services.ops.client.routes import BACKFILL, BACKFILL_STEPS, ESTIMATE, PLAN_BACKFILL
from shared.symbols import one_spelling

if TYPE_CHECKING:
    from services.ops.client.commands.backfills import SelectionOptions

_LOOK_EVERY_S = 0.25
_STEP_COLUMNS = ("first", "last", "of")


class Shown(TypedDict):
    """A backfill with its steps."""

    backfill: Backfill
    steps: list[StepOutcome]


def body_of(client: ApiClient, options: "SelectionOptions") -> dict[str, Any]:
    """Return what the options select, portfolios by their ids."""
    named = not options.everything
    portfolios = [find_portfolio(client, given)["portfolio_id"] for given in options.portfolio or ()]
    return {
        "first": options.first.isoformat(),
        "last": options.last.isoformat() if options.last else None,
        "symbols": [one_spelling(symbol) for symbol in options.symbol or ()] if named else None,
        "portfolio_ids": portfolios if named else None,
        "reprocess": options.reprocess.value,
        "requested_by": asker(),
    }


def follow_backfill(client: ApiClient, backfill_id: str) -> Backfill:
    """Return the backfill when it has ended or was paused; its progress is drawn on standard error meanwhile."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"))
    then = f"`sigmasight backfill show {backfill_id}` shows how far it is, `sigmasight backfill cancel` ends it"
    progress = Progress(*columns, console=console(stderr=True), transient=True)
    with going_on(f"backfill {backfill_id}", then), progress:
        bar = progress.add_task("cells", total=None, told="")
        while True:
            found = read_patiently(client, BACKFILL.at(backfill_id=backfill_id))
            counts = found["progress"]
            told = [f"{counts['failed']:,} failed"] if counts["failed"] else []
            told += _left(found)
            settled = counts["done"] + counts["failed"]
            progress.update(bar, total=counts["cells"], completed=settled, told=", ".join(told))
            if found["status"] != "active":
                return found
            time.sleep(_LOOK_EVERY_S)


def end_with(ended: Backfill) -> int:
    """Return the exit code of a backfill that was waited for."""
    return {"completed": 0, "completed_with_errors": 2}.get(ended["status"], 1)


def load_backfill(client: ApiClient, backfill_id: str) -> Shown:
    """Return a backfill with its steps."""
    return {
        "backfill": client.get(BACKFILL.at(backfill_id=backfill_id)),
        "steps": load_list(client, BACKFILL_STEPS.at(backfill_id=backfill_id)),
    }


class PlanReport(Plan):
    """What a backfill would compute, and what a run of all its sessions would ask of vendors."""

    requests: RunRequests


def load_plan(client: ApiClient, body: dict[str, Any]) -> PlanReport:
    """Return what a backfill would compute and ask for."""
    plan = client.send(PLAN_BACKFILL, body)
    requests: RunRequests = {"vendors": []}
    if plan["sessions"]:
        requests = client.get(ESTIMATE, first=plan["sessions"][0], last=plan["sessions"][-1])
    return {**plan, "requests": requests}


def print_plan(plan: PlanReport) -> None:
    """Draw a plan."""
    facts = ", ".join(f"{count} {fact}" for fact, count in plan["cells_by_fact"].items() if count)
    lines = [
        f"{plan['cells']} cells at {len(plan['sessions'])} sessions{f': {facts}' if facts else ''}",
        f"{plan['steps']} steps, about {number(plan['seconds'], digits=1)} s while nothing else runs",
        f"{plan['symbols_to_fetch']} symbols lack a bar: providers are asked for each at most once",
        *(f"at most {each['estimated']:,} requests to {each['vendor']}" for each in plan["requests"]["vendors"]),
    ]
    shown = [(*_step_row(step), step["cells"]) for step in plan["first_steps"]]
    console().print("\n".join(lines))
    if shown:
        console().print(table("the first steps", (*_STEP_COLUMNS, "cells"), shown))


def print_backfill(found: Backfill) -> None:
    """Say how far a backfill is."""
    print_backfills([found])


def print_backfills(found: Sequence[Backfill]) -> None:
    """Say how far backfills are."""
    told = "\n\n".join(map(_told, found))
    console().print(told or "no backfills yet; plan one with `sigmasight backfill plan`")


def print_shown(shown: Shown) -> None:
    """Say how far a backfill is, and draw its steps."""
    steps = shown["steps"]
    rows = [
        (*_step_row(step), f"{step['done']}/{step['cells']}", step["unchanged"], step["failed"], step["status"])
        for step in steps
    ]
    columns = (*_STEP_COLUMNS, "done", "same", "failed", "status")
    out = console()
    out.print(_told(shown["backfill"]))
    out.print(table("steps", columns, rows) if rows else "nothing was wanted")
    for step in steps:
        if step["failed"]:
            out.print(f"run {step['run_id']}: {step['failed']} cells failed")


def print_retry(retry: Retry) -> None:
    """Say how many cells are queued again."""
    console().print(f"{retry['cells']} cells of backfill {retry['backfill_id']} are computed again")


def _step_row(step: Step) -> tuple[object, ...]:
    kinds = (("symbols", step["symbols"]), ("portfolios", step["portfolios"]))
    of = ", ".join(f"{count} {kind}" for kind, count in kinds if count)
    return step["first_session"], step["last_session"], of


def _told(found: Backfill) -> str:
    progress = found["progress"]
    counts = [f"{progress['done']:,} of {progress['cells']:,} cells done"]
    counts += [f"{progress[name]:,} {name}" for name in ("unchanged", "failed") if progress[name]]
    steps = f"{progress['steps_ended']} of {progress['steps']} steps"
    return "\n".join(
        (
            f"backfill {found['backfill_id']}: {found['status']}",
            f"  {found['reprocess']} cells of {found['first']} to {found['last']}",
            f"  asked for by {found['requested_by']} at {found['requested_at'][:19]}Z",
            f"  {', '.join(counts)}",
            f"  {', '.join([steps, *_left(found)])}",
        )
    )


def _left(found: Backfill) -> list[str]:
    seconds = found["progress"]["eta_s"]
    return [] if seconds is None else [f"about {timedelta(seconds=round(seconds))} left"]
