"""Dead letters on the terminal: listed, one with its message, counted by cause."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from rich.text import Text

from services.ops.client.answers.letters import Letter, LetterCounts, LetterDetail
from services.ops.client.client import ApiClient
from services.ops.client.paging import pages
from services.ops.client.rendering import console, table
from services.ops.client.routes import LETTERS

if TYPE_CHECKING:
    from services.ops.client.commands.letters import ListOptions

_PAGE: Final = 500
_PAYLOAD_SHOWN: Final = 2_000
_CAUSES_SHOWN: Final = 5


def load_letters(client: ApiClient, options: "ListOptions") -> list[Letter]:
    """Return the letters that the options name, the newest first."""
    read = pages(
        client,
        LETTERS,
        limit=min(options.limit, _PAGE),
        reason=options.cause,
        topic=options.topic,
        run_id=options.run,
        status=options.status,
    )
    return list(islice((letter for page in read for letter in page), options.limit))


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
    console().print(table("dead letters", columns, rows) if rows else "no such dead letters")


def print_letter(letter: LetterDetail) -> None:
    """Show a letter with its message."""
    out = console()
    for line in _told(letter):
        out.print(Text(line), soft_wrap=True)


def _told(letter: LetterDetail) -> Iterator[str]:
    yield f"dead letter {letter['letter_id']}: {letter['status']}"
    yield f"  {letter['consumer']} could not process it, tried {letter['attempts']} times"
    yield f"  cause: {letter['reason']}: {letter['detail']}"
    yield f"  from: {letter['topic']}, partition {letter['partition']}, offset {letter['offset']}"
    yield f"  run: {letter['run_id'] or 'none'}"
    yield f"  recorded at {letter['recorded_at'][:19]}Z"
    if letter["dropped_at"]:
        yield f"  dropped at {letter['dropped_at'][:19]}Z by {letter['dropped_by']}: {letter['dropped_why']}"
    yield f"  key: {letter['key']}"
    for name, value in letter["headers"].items():
        if not name.startswith("dlq-"):
            yield f"  {name}: {value}"
    payload = letter["payload"]
    yield f"  payload, {letter['payload_bytes']:,} bytes:"
    yield payload[:_PAYLOAD_SHOWN] + (" ... (all of it with --json)" if len(payload) > _PAYLOAD_SHOWN else "")


def letters_line(counts: LetterCounts) -> str | None:
    """Return in one line how many letters wait and why, None where none does."""
    if not counts["letters"]:
        return None
    causes = [f"{each['letters']} {each['reason']} of {each['consumer']}" for each in counts["causes"][:_CAUSES_SHOWN]]
    rest = len(counts["causes"]) - len(causes)
    more = f" and {rest} more causes" if rest > 0 else ""
    return f"{counts['letters']} dead letters: {', '.join(causes)}{more}; see `sigmasight dead-letters list`"
