"""What commands say in lines of plain text."""

import typer

from shared.printable import printable


def say(text: str, *, err: bool = False) -> None:
    """Print a text, which may have come from anybody, on standard output or standard error."""
    typer.echo(printable(text), err=err)
