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

    def told(self) -> "Table":
        """Return the table without the columns that say nothing in any row."""
        kept = [
            place
            for place, column in enumerate(self.columns)
            if not column or any(row[place].text for row in self.rows)
        ]
        return Table([self.columns[place] for place in kept], [[row[place] for place in kept] for row in self.rows])

    def kind(self, place: int) -> str:
        """Return the class of a column, that of its first cell."""
        return self.rows[0][place].kind if self.rows else "text"


@dataclass(frozen=True, slots=True)
class Section:
    """Something to look at, and the numbers behind it."""

    title: str
    figures: Sequence[str] = ()
    tables: Sequence[Table] = ()
    note: str = ""
