"""What can go wrong with a command; each is one line on standard error and an exit code.

CommandError                 exit code 2
├── Misused                  an option or a setting is missing or makes no sense
├── WrongRows                rows of a file are wrong: line, column and reason of each
├── Unreachable              nothing answers where the platform should be
├── EmbeddedError            a server cannot be run on this machine or in this directory; see `hosting/embedded/errors`
└── Refused                  the platform said no: status, detail and the fields that are wrong
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

NOT_FOUND: Final = HTTPStatus.NOT_FOUND.value


class CommandError(Exception):
    """A command cannot do what it was asked."""

    exit_code = 2
    errors: tuple["FieldError", ...] = ()


class Misused(CommandError):
    """An option or a setting is missing or makes no sense."""


class Unreachable(CommandError):
    """Nothing answers at the address."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        super().__init__(f"nothing answers at {url} ({reason}); start the platform with `sigmasight up`")


@dataclass(frozen=True, slots=True)
class FieldError:
    """A field that was refused, and why; `line` when it comes from a file."""

    field: str
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}, " if self.line else ""
        return f"{where}{self.field}: {self.reason}"


class WrongRows(CommandError):
    """Rows of a file are wrong; nothing was sent."""

    def __init__(self, file: Path, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__(f"{len(self.errors)} rows of {file} are wrong, nothing was sent")


class Refused(CommandError):
    """The platform answered that it will not."""

    def __init__(self, status: int, detail: str, errors: Sequence[FieldError] = ()) -> None:
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        super().__init__(f"refused ({status}): {detail}")
