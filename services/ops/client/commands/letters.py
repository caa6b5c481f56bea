"""Commands about dead letters: `dead-letters list`, `show` and `drop`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.options import taking


class Status(StrEnum):
    """What became of a letter."""

    WAITING = "waiting"
    REDRIVING = "redriving"
    SETTLED = "settled"
    DROPPED = "dropped"


@dataclass(frozen=True, kw_only=True)
class FilterOptions(ClientOptions):
    """Which letters."""

    cause: Annotated[str | None, typer.Option(help="Only those of this class of error.")] = None
    topic: Annotated[str | None, typer.Option(help="Only those that came from this topic.")] = None
    run: Annotated[str | None, typer.Option(help="Only those of this run, by its id.")] = None


@dataclass(frozen=True, kw_only=True)
class ListOptions(FilterOptions):
    """The options of `dead-letters list`."""

    status: Annotated[Status | None, typer.Option(help="Only these; else what is still to be dealt with.")] = None
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20


@taking(ListOptions)
def list_letters(options: ListOptions) -> None:
    """List messages that could not be processed."""
    from services.ops.client.letters import load_letters, print_letters

    with options.connected() as client:
        options.show(load_letters(client, options), print_letters)


@dataclass(frozen=True, kw_only=True)
class LetterOptions(ClientOptions):
    """Which letter."""

    letter: Annotated[str, typer.Argument(help="Its id, as `dead-letters list` shows it.")]


@taking(LetterOptions)
def show(options: LetterOptions) -> None:
    """Show a letter: cause, origin, headers and message."""
    from services.ops.client.letters import print_letter
    from services.ops.client.routes import LETTER

    with options.connected() as client:
        options.show(client.get(LETTER.at(letter_id=options.letter)), print_letter)


@dataclass(frozen=True, kw_only=True)
class DropOptions(LetterOptions):
    """The options of `dead-letters drop`."""

    why: Annotated[str, typer.Option(help="Kept with who dropped it.")]


@taking(DropOptions)
def drop(options: DropOptions) -> None:
    """Have nobody deal with a letter; it stays readable."""
    from services.ops.client.asker import asker
    from services.ops.client.letters import print_letter
    from services.ops.client.routes import DROP_LETTER

    with options.connected() as client:
        body = {"why": options.why, "requested_by": asker()}
        options.show(client.send(DROP_LETTER.at(letter_id=options.letter), body), print_letter)
