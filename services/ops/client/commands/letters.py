"""Commands about dead letters: `dead-letters list`, `show`, `redrive` and `drop`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from services.ops.client.commands.options import ClientOptions
from services.ops.errors import Misused
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
class RedriveOptions(FilterOptions):
    """The options of `dead-letters redrive`."""

    letters: Annotated[list[str] | None, typer.Argument(help="Their ids, as `dead-letters list` shows them.")] = None
    again: Annotated[bool, typer.Option("--again", help="Also what was redriven three times already.")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False
    why: Annotated[str, typer.Option(help="Kept with who redrives them.")] = ""


@taking(RedriveOptions)
def redrive(options: RedriveOptions) -> None:
    """Have letters processed again: these, or all of a cause.

    A message goes again to the consumer that could not process it; where its run has gone on without, one run over what
    it could not do makes all its letters good.

    With --wait, exit 0: all are settled; 2: some failed again; 130: interrupted, and it goes on.
    """
    if bool(options.letters) == any((options.cause, options.topic, options.run)):
        raise Misused("name what to redrive: letters by id, or --cause, --topic, --run")
    from services.ops.client.letters import body_of, end_with, follow_redrive, print_answer, print_redrive
    from services.ops.client.routes import REDRIVE

    with options.connected() as client:
        answer = client.send(REDRIVE, body_of(options))
        begun = answer["redrive"]
        if begun is None or not options.wait:
            options.show(answer, print_answer)
            return
        ended = follow_redrive(client, begun["redrive_id"])
        options.show(ended, print_redrive)
        raise typer.Exit(end_with(ended))


@dataclass(frozen=True, kw_only=True)
class DropOptions(ClientOptions):
    """The options of `dead-letters drop`."""

    letters: Annotated[list[str], typer.Argument(help="Their ids, as `dead-letters list` shows them.")]
    why: Annotated[str, typer.Option(help="Kept with who dropped it.")]


@taking(DropOptions)
def drop(options: DropOptions) -> None:
    """Have nobody deal with letters; they stay readable."""
    from services.ops.client.asker import asker
    from services.ops.client.letters import print_dropped
    from services.ops.client.routes import DROP_LETTER

    body = {"why": options.why, "requested_by": asker()}
    with options.connected() as client:
        dropped = [client.send(DROP_LETTER.at(letter_id=letter), body) for letter in options.letters]
    options.show(dropped, print_dropped)
