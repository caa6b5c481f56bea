"""Options as dataclasses: a command takes one argument, and commands share what they have in common."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

Options = TypeVar("Options")

DEFAULT_DATA_DIR = Path(".sigmasight")

DataDirOption = Annotated[
    Path, typer.Option("--data-dir", envvar="SIGMASIGHT_DATA_DIR", help="Where everything is kept.")
]


def _parsed_day(text: str) -> date:
    try:
        # Without the other spellings of ISO 8601.
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError:
        raise typer.BadParameter(f"must be YYYY-MM-DD, was {text}") from None


def day(text: str, *names: str) -> Any:
    """Return an option that is a date."""
    return typer.Option(*names, parser=_parsed_day, metavar="YYYY-MM-DD", help=text)


def names_of(options: type) -> frozenset[str]:
    """Return what people write for the fields of options: ``--as-of``, and ``PORTFOLIO`` for an argument."""
    names: set[str] = set()
    for field, hint in get_type_hints(options, include_extras=True).items():
        for said in get_args(hint)[1:]:
            if isinstance(said, ArgumentInfo):
                names.add(said.metavar or field.upper())
            elif isinstance(said, OptionInfo):
                # The first name of an option in an annotation stands where its default would.
                given = [name for name in (said.default, *(said.param_decls or ())) if isinstance(name, str)]
                names.update(given or [f"--{field.replace('_', '-')}"])
    return frozenset(names)


def taking(options: type[Options]) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Give a command that takes a dataclass the signature from which typer makes options: one per field."""

    def decorate(command: Callable[[Options], None]) -> Callable[..., None]:
        def call(**values: Any) -> None:
            command(options(**values))

        hints = get_type_hints(options, include_extras=True)
        call.__name__, call.__doc__ = command.__name__, command.__doc__
        call.__annotations__ = hints
        call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(
                    field.name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=inspect.Parameter.empty if field.default is MISSING else field.default,
                    annotation=hints[field.name],
                )
                for field in fields(options)  # type: ignore[arg-type]
            ]
        )
        return call

    return decorate
