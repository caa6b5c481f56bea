"""Backfills on the terminal: their plan, their progress, and what failed."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.ops.client.answers.backfills import Backfill, Plan, Retry, Step, StepOutcome
from services.ops.client.client import ApiClient
from services.ops.client.lookup import find_portfolio
from services.ops.client.progress import read_patiently
from services.ops.client.rendering import console, number, table
from services.ops.client.routes import BACKFILL, BACKFILL_STEPS

if TYPE_CHECKING:
    from services.ops.client.commands.backfills import SelectionOptions

_LOOK_EVERY_S = 0.25
_OPEN = {"active", "paused"}
_STEP_COLUMNS = ("first", "last", "symbols", "portfolios", "cells")


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
        "symbols": [symbol.upper() for symbol in options.symbol or ()] if named else None,
        "portfolio_ids": portfolios if named else None,
        "reprocess": options.reprocess.value,
    }


def follow_backfill(client: ApiClient, backfill_id: str) -> Backfill:
    """Return the backfill when it has ended or was paused; its progress is drawn on standard error meanwhile."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("cells")
        while True:
            found = read_patiently(client, BACKFILL.at(backfill_id=backfill_id))
            counts = found["progress"]
            progress.update(bar, total=counts["cells"], completed=counts["done"] + counts["failed"])
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
        "steps": client.get(BACKFILL_STEPS.at(backfill_id=backfill_id)),
    }


def print_plan(plan: Plan) -> None:
    """Draw a plan."""
    facts = ", ".join(f"{count} {fact}" for fact, count in plan["cells_by_fact"].items() if count)
    lines = [
        f"{plan['cells']} cells at {len(plan['sessions'])} sessions{f': {facts}' if facts else ''}",
        f"{plan['steps']} steps, about {number(plan['seconds'], digits=1)} s while nothing else runs",
        f"{plan['symbols_to_fetch']} symbols lack a bar: providers are asked for each at most once",
    ]
    shown = [_step_row(step) for step in plan["first_steps"]]
    console().print("\n".join(lines))
    if shown:
        console().print(table("the first steps", _STEP_COLUMNS, shown))


def print_backfill(found: Backfill) -> None:
    """Draw how far a backfill is."""
    print_backfills([found])


def print_backfills(found: Sequence[Backfill]) -> None:
    """Draw how far backfills are."""
    console().print(_backfill_table(found) if found else "no backfills yet; plan one with `sigmasight backfill plan`")


def print_shown(shown: Shown) -> None:
    """Draw a backfill with its steps."""
    rows = [
        (*_step_row(step), step["status"], step["done"], step["unchanged"], step["failed"], step["run_id"] or "")
        for step in shown["steps"]
    ]
    steps = table("steps", (*_STEP_COLUMNS, "status", "done", "unchanged", "failed", "run"), rows)
    console().print(Group(_backfill_table([shown["backfill"]]), steps if rows else "nothing was wanted"))


def print_retry(retry: Retry) -> None:
    """Say how many cells are queued again."""
    console().print(f"{retry['cells']} cells of backfill {retry['backfill_id']} are computed again")


def _step_row(step: Step) -> tuple[object, ...]:
    return step["first_session"], step["last_session"], step["symbols"], step["portfolios"], step["cells"]


def _backfill_table(found: Sequence[Backfill]) -> RenderableType:
    columns = ("requested at", "sessions", "of", "status", "cells", "done", "unchanged", "failed", "eta, s", "by", "id")
    rows = [
        (
            each["requested_at"][:19],
            f"{each['first']} to {each['last']}",
            each["reprocess"],
            each["status"],
            each["progress"]["cells"],
            each["progress"]["done"],
            each["progress"]["unchanged"],
            each["progress"]["failed"],
            number(each["progress"]["eta_s"], digits=1) if each["status"] in _OPEN else "",
            each["requested_by"],
            each["backfill_id"],
        )
        for each in found
    ]
    return table("backfills", columns, rows)
