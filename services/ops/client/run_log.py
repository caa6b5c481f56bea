"""What happens in a run on the terminal: its log so far, or as it comes."""

import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Final

from rich.text import Text

from services.ops.client.answers.runs import LogLine, ToldLine
from services.ops.client.client import ApiClient
from services.ops.client.paging import load_list
from services.ops.client.rendering import console
from services.ops.client.routes import RUN_EVENTS, RUN_LOG
from services.ops.errors import Refused, Unreachable

_LOOK_EVERY_S: Final = 0.25
# A platform that is started again goes on telling.
_AWAY_AT_MOST_S: Final = 60.0
_PAGE: Final = 1000
_STYLES: Final = {"warning": "yellow", "error": "red"}


def load_log(client: ApiClient, run_id: str) -> list[LogLine]:
    """Return what has happened in a run.

    Raises
    ------
    Unreachable, Refused
        If nothing answers, or there is no such run.
    """
    return load_list(client, RUN_LOG.at(run_id=run_id), limit=_PAGE)


def follow_log(client: ApiClient, run_id: str) -> Iterator[ToldLine]:
    """Yield what happens in a run until it has ended, also when the platform is being started again.

    Raises
    ------
    Unreachable, Refused
        If it stays away for longer than a restart takes, or there is no such run.
    """
    last, has_ended, gone_at = -1, False, None
    while not has_ended:
        try:
            for line in client.follow(RUN_EVENTS.at(run_id=run_id), after=last):
                yield line
                last, has_ended, gone_at = line["place"], line["what"] == "ended", None
        except (Unreachable, Refused) as away:
            gone_at = gone_at or time.monotonic()
            if not _passes(away) or time.monotonic() - gone_at > _AWAY_AT_MOST_S:
                raise
        time.sleep(0.0 if has_ended else _LOOK_EVERY_S)


def _passes(error: Unreachable | Refused) -> bool:
    return isinstance(error, Unreachable) or error.status == HTTPStatus.SERVICE_UNAVAILABLE


def print_log(lines: Sequence[LogLine]) -> None:
    """Show lines."""
    for line in lines:
        print_line(line)


def print_line(line: LogLine, eta_s: float | None = None) -> None:
    """Show a line, with how long the run still takes where that is known."""
    left = f" (about {eta_s:.0f} s left)" if eta_s else ""
    said = f"{line['at'][11:19]}Z {line['stage'] or 'run'}: {line['message']}{left}"
    console().print(Text(said, style=_STYLES.get(line["level"], "")), soft_wrap=True)
