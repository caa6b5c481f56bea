"""What the report page is made of."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table; `kind` is its class on the page: text, number or reason."""

    text: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Section:
    """Something to look at, and the numbers behind it."""

    title: str
    figures: Sequence[str] = ()
    tables: Sequence[Table] = ()
    note: str = ""
