"""The schedule on the terminal: what is next, what came of the last, and what a cron is told."""

import json
import time
from collections.abc import Sequence

from rich.console import Group, RenderableType

from services.ops.client.answers.runs import RunReport
from services.ops.client.answers.schedule import Fire, Schedule
from services.ops.client.asker import asker
from services.ops.client.client import ApiClient
from services.ops.client.lateness import too_early
from services.ops.client.paging import load_list
from services.ops.client.progress import follow_run, read_patiently
from services.ops.client.rendering import console, print_run, run_succeeded, table
from services.ops.client.routes import FIRE, PAUSE_SCHEDULE, RESUME_SCHEDULE, SCHEDULE, TRIGGER, VENDORS
from services.ops.terminal import say

_LOOK_EVERY_S = 0.5
_SHOWN = 10
_FAILED = {"failed", "cancelled"}


class ScheduleReport(Schedule):
    """The schedule, and which of its next times come before a vendor has the session."""

    late: list[str]


def load_schedule(client: ApiClient) -> ScheduleReport:
    """Return the schedule with its next times, what came of the last, and what is too early for a vendor."""
    found = client.get(SCHEDULE, limit=_SHOWN)
    return {**found, "late": [*too_early(found["next"], load_list(client, VENDORS))]}


def print_schedule(found: ScheduleReport) -> None:
    """Draw the schedule."""
    console().print(_drawn(found))


def pause_schedule(client: ApiClient, why: str, *, as_json: bool) -> None:
    """Pause the schedule and say so."""
    lasting = client.send(PAUSE_SCHEDULE, {"why": why, "requested_by": asker()})
    text = f"paused since {_instant(lasting['paused_at'])} by {lasting['paused_by']}: {lasting['why']}"
    say(json.dumps(lasting, indent=2) if as_json else text)


def resume_schedule(client: ApiClient, *, as_json: bool) -> None:
    """Resume the schedule and say so."""
    ended = client.send(RESUME_SCHEDULE, {"requested_by": asker()})
    text = "was not paused" if ended is None else f"resumed; was paused by {ended['paused_by']}: {ended['why']}"
    say(json.dumps(ended, indent=2) if as_json else text)


def trigger_stage(client: ApiClient, stage: str, *, wait: bool, as_json: bool) -> int:
    """Fire a stage, follow it with `wait`, show what came of it, and return what a cron is told."""
    ended: dict[str, RunReport] = {}
    fires = client.send(TRIGGER.at(stage=stage), {"requested_by": asker()})
    if wait:
        fires = [_follow(client, fire, ended) for fire in fires]
    runs = list(ended.values())
    _show_triggered(fires, runs, as_json=as_json)
    return exit_code(runs)


def exit_code(runs: Sequence[RunReport]) -> int:
    """Return what a cron is told about runs that have ended."""
    if any(run["status"] in _FAILED for run in runs):
        return 1
    return 0 if all(map(run_succeeded, runs)) else 2


def _follow(client: ApiClient, fire: Fire, ended: dict[str, RunReport]) -> Fire:
    """Follow the runs of a fire to their end, also what it asks for later; return the fire as it is then."""
    while True:
        for run_id in filter(None, [fire["waits_for"], *fire["run_ids"]]):
            if run_id not in ended:
                ended[run_id] = follow_run(client, run_id)
        if fire["outcome"] != "waiting":
            return fire
        time.sleep(_LOOK_EVERY_S)
        fire = read_patiently(client, FIRE.at(fire_id=fire["fire_id"]))


def _show_triggered(fires: Sequence[Fire], runs: Sequence[RunReport], *, as_json: bool) -> None:
    if as_json:
        say(json.dumps({"fires": fires, "runs": runs}, indent=2))
        return
    console().print(_fire_table("triggered", fires))
    for run in runs:
        print_run(run)


def _drawn(found: ScheduleReport) -> RenderableType:
    lines = [f"{each['stage']}: {each['crontab']} {each['zone']}" for each in found["triggers"]]
    if not found["enabled"]:
        lines.append("asks for nothing: BATCH_PROCESSING_ENABLED is false")
    if found["pause"] is not None:
        lasting = found["pause"]
        lines.append(f"paused since {_instant(lasting['paused_at'])} by {lasting['paused_by']}: {lasting['why']}")
    lines += found["late"]
    rows = [(each["stage"], _instant(each["due_at"]), each["session"], each["expected"]) for each in found["next"]]
    coming = table("next", ("stage", "due", "session", "expected"), rows)
    return Group("\n".join(lines), coming, _fire_table("last", found["last"]))


def _fire_table(title: str, fires: Sequence[Fire]) -> RenderableType:
    rows = [
        (
            fire["stage"],
            _instant(fire["due_at"]),
            fire["session"],
            fire["outcome"],
            fire["detail"],
            fire["asked_by"] or "its time",
            " ".join(fire["run_ids"]),
        )
        for fire in fires
    ]
    return table(title, ("stage", "due", "session", "outcome", "detail", "by", "runs"), rows)


def _instant(text: str) -> str:
    return f"{text[:10]} {text[11:16]}Z"
