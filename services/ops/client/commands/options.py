"""The options of every command that talks to a platform."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from services.ops.options import DEFAULT_DATA_DIR, DataDirOption, names_of
from services.ops.terminal import say

if TYPE_CHECKING:
    from services.ops.client.client import ApiClient

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class ClientOptions:
    """Where the platform is, and how to answer."""

    url: Annotated[
        str | None, typer.Option(envvar="SIGMASIGHT_URL", help="Where the platform listens; else from the data dir.")
    ] = None
    data_dir: DataDirOption = DEFAULT_DATA_DIR
    json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")] = False

    def connected(self) -> "AbstractContextManager[ApiClient]":
        """Open a client of the platform that they name."""
        from services.ops.client.client import connected
        from services.ops.data_directory import DataDirectory

        return connected(DataDirectory(self.data_dir), self.url, names_of(type(self)))

    def show(self, found: Found, draw: Callable[[Found], None]) -> None:
        """Print what was found: as JSON, or drawn for people."""
        if self.json:
            say(json.dumps(found, indent=2))
        else:
            draw(found)
