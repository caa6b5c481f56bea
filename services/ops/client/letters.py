"""Dead letters on the terminal: listed, one with its message, counted by cause."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from services.ops.client.answers.letters import (
    Letter,
    LetterCounts,
    LetterDetail,
    PlannedRun,
    Redrive,
    RedriveAnswer,
    RedrivePlan,
)
from services.ops.client.asker import asker
from services.ops.client.client import ApiClient
from services.ops.client.paging import load_first
from services.ops.client.progress import going_on, read_patiently
from services.ops.client.rendering import console, table
from services.ops.client.routes import LETTERS, REDRIVEN
from shared.printable import counted

if TYPE_CHECKING:
    from services.ops.client.commands.letters import ListOptions, RedriveOptions

_PAYLOAD_SHOWN: Final = 2_000
_CAUSES_SHOWN: Final = 5
_LOOK_EVERY_S: Final = 0.25


def load_letters(client: ApiClient, options: "ListOptions") -> list[Letter]:
    """Return the letters that the options name, the newest first."""
    return load_first(
        client,
        LETTERS,
        options.limit,
        reason=options.cause,
        topic=options.topic,
        run_id=options.run,
        status=options.status,
    )


def print_letters(letters: Sequence[Letter]) -> None:
    """Show a line a letter."""
    columns = ("recorded at", "consumer", "topic", "cause", "detail", "tries", "status", "letter")
    rows = [
        (
            letter["recorded_at"][:19],
            letter["consumer"],
            letter["topic"],
            letter["reason"],
            letter["detail"][:80],
            letter["attempts"],
            letter["status"],
            letter["letter_id"],
        )
        for letter in letters
    ]
    console().print(table("dead letters", columns, rows) if rows else "no dead letters found")


def print_letter(letter: LetterDetail) -> None:
    """Show a letter with its message."""
    out = console()
    for line in _told(letter):
        out.print(Text(line), soft_wrap=True)


def print_dropped(letters: Sequence[LetterDetail]) -> None:
    """Show letters that were dropped, one after the other."""
    for letter in letters:
        print_letter(letter)


def _told(letter: LetterDetail) -> Iterator[str]:
    yield f"dead letter {letter['letter_id']}: {letter['status']}"
    yield f"  {letter['consumer']} could not process it, tried {counted(letter['attempts'], 'time')}"
    yield f"  cause: {letter['reason']}: {letter['detail']}"
    yield f"  from: {letter['topic']}, partition {letter['partition']}, offset {letter['offset']}"
    yield f"  run: {letter['run_id'] or 'none'}"
    yield f"  recorded at {letter['recorded_at'][:19]}Z"
    if letter["dropped_at"]:
        yield f"  dropped at {letter['dropped_at'][:19]}Z by {letter['dropped_by']}: {letter['dropped_why']}"
    for attempt in letter["attempted"]:
        yield f"  redriven at {attempt['requested_at'][:19]}Z by {attempt['requested_by']}: {attempt['why'] or '-'}"
        yield f"    by {attempt['way']}: {attempt['status']} {attempt['detail']}".rstrip()
    yield f"  key: {letter['key']}"
    for name, value in letter["headers"].items():
        if not name.startswith("dlq-"):
            yield f"  {name}: {value}"
    payload = letter["payload"]
    yield f"  payload, {letter['payload_bytes']:,} bytes:"
    yield payload[:_PAYLOAD_SHOWN] + (" ... (all of it with --json)" if len(payload) > _PAYLOAD_SHOWN else "")


def body_of(options: "RedriveOptions") -> dict[str, Any]:
    """Return what the options ask for."""
    return {
        "letter_ids": options.letters or None,
        "reason": options.cause,
        "topic": options.topic,
        "run_id": options.run,
        "again": options.again,
        "dry_run": options.dry_run,
        "why": options.why,
        "requested_by": asker(),
    }


def follow_redrive(client: ApiClient, redrive_id: str) -> Redrive:
    """Return the redrive when nothing of it is left to do, also when the platform is being started again."""
    with going_on(f"redrive {redrive_id}", "`sigmasight dead-letters list` shows what is left"):
        while (found := read_patiently(client, REDRIVEN.at(redrive_id=redrive_id)))["finished_at"] is None:
            time.sleep(_LOOK_EVERY_S)
    return found


def end_with(ended: Redrive) -> int:
    """Return the exit code of a redrive that was waited for."""
    return 0 if ended["counts"]["settled"] == ended["letters"] else 2


def print_answer(answer: RedriveAnswer) -> None:
    """Say what a redrive would do, or how far the one is that was begun, and what it leaves out."""
    plan, begun = answer["plan"], answer["redrive"]
    if begun is not None:
        print_redrive(begun)
    for line in (
        *(_planned(plan) if plan else ()),
        *(f"left out {each['letter_id']}: {each['why']}" for each in answer["left_out"]),
    ):
        console().print(Text(line), soft_wrap=True)


def print_redrive(found: Redrive) -> None:
    """Say how far a redrive is."""
    counts = ", ".join(f"{count} {status}" for status, count in found["counts"].items() if count)
    state = "ended" if found["finished_at"] else "goes on"
    lines = [f"redrive {found['redrive_id']} of {counted(found['letters'], 'letter')} {state}: {counts}"]
    lines += [f"  run {run_id}" for run_id in found["run_ids"]]
    if found["counts"].get("failed"):
        lines.append("  `sigmasight dead-letters list` shows what failed again, and why")
    console().print(Text("\n".join(lines)), soft_wrap=True)


def _planned(plan: RedrivePlan) -> Iterator[str]:
    yield f"{counted(plan['letters'], 'letter')} would be redriven"
    for sent in plan["messages"]:
        messages, are = counted(sent["messages"], "message"), "is" if sent["messages"] == 1 else "are"
        yield f"  {messages} of {sent['topic']} {are} sent again to {sent['consumer']}"
    yield from map(_run_line, plan["first_runs"])
    more = plan["runs"] - len(plan["first_runs"])
    if more:
        yield f"  and {more} runs more"


def _run_line(planned: PlannedRun) -> str:
    letters = f"  {counted(planned['letters'], 'letter')} of run {planned['run_id']}"
    if planned["symbols"] is None:
        return f"{letters}: {planned['why']}"
    over = f"{counted(planned['symbols'], 'symbol')} and {counted(planned['portfolios'] or 0, 'portfolio')}"
    return f"{letters}: {over} of {planned['first']} to {planned['last']} are computed again in one new run"


def letters_line(counts: LetterCounts) -> str | None:
    """Return in one line how many letters wait and why, None where none does."""
    if not counts["letters"]:
        return None
    causes = [f"{each['letters']} {each['reason']} of {each['consumer']}" for each in counts["causes"][:_CAUSES_SHOWN]]
    rest = len(counts["causes"]) - len(causes)
    more = f" and {rest} more causes" if rest > 0 else ""
    return f"{counted(counts['letters'], 'dead letter')}: {', '.join(causes)}{more}; see `sigmasight dead-letters list`"
