"""What many rows of a table say alike: said once in a table beside it, which a row names by a number.

`<table>_alike` holds it, `<table>_whole` is the view in which rows say all of it themselves; the statements that make
both are in `shared.db.alike_ddl`. The number is of what is said, so whoever says the same again writes nothing.
"""

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.binary import listed
from shared.db.bulk import Columns

_Said = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Which columns of a table are said once.

    Attributes
    ----------
    table : str
        Whose rows say them alike.
    within : str
        The column that says among which rows: a session, a portfolio.
    columns : tuple of str
        What is said.
    """

    table: str
    within: str
    columns: tuple[str, ...]

    async def shorten(self, connection: AsyncConnection, columns: Columns, *, apart: str = "") -> Columns:
        """Write of what rows say alike what nobody has said yet; return the columns with its number in its place.

        Parameters
        ----------
        connection : AsyncConnection
            In the transaction that writes the rows.
        columns : mapping of name to sequence
            One entry a row, `within` and all that is said alike among them.
        apart : str
            What is said beside it by nobody else at the same time: two who say the same would wait for each other.
        """
        numbers: dict[_Said, int] = {}
        first: dict[tuple[Any, int], int] = {}
        alike = []
        among = listed(columns[self.within])
        said = [listed(columns[name]) for name in self.columns]
        for place, values in enumerate(zip(*(map(_fixed, column) for column in said), strict=True)):
            # Hashed once: that is most of what a row takes here.
            number = numbers.get(values)
            if number is None:
                number = numbers[values] = _number(values, apart)
            alike.append(number)
            first.setdefault((among[place], number), place)
        await self._say(connection, {key: [column[place] for column in said] for key, place in first.items()})
        kept = {name: values for name, values in columns.items() if name not in self.columns}
        return {**kept, "alike": alike}

    async def _say(self, connection: AsyncConnection, said: Mapping[tuple[Any, int], Sequence[Any]]) -> None:
        find = sa.text(
            f"SELECT {self.within}, alike FROM {self.table}_alike "
            f"WHERE {self.within} = ANY(:among) AND alike = ANY(:numbers)"
        )
        among, numbers = ({key[place] for key in said} for place in (0, 1))
        known = await connection.execute(find, {"among": list(among), "numbers": list(numbers)})
        # Two writers go through them in the same order.
        unsaid = sorted(said.keys() - {tuple(row) for row in known})
        if unsaid:
            names = (self.within, "alike", *self.columns)
            values = ", ".join(f":{name}" for name in names)
            insert = sa.text(
                f"INSERT INTO {self.table}_alike ({', '.join(names)}) VALUES ({values}) ON CONFLICT DO NOTHING"
            )
            await connection.execute(insert, [dict(zip(names, (*key, *said[key]), strict=True)) for key in unsaid])


def _number(values: _Said, apart: str) -> int:
    digest = hashlib.blake2b(repr((apart, values)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _fixed(value: Any) -> Hashable:
    return tuple(value) if isinstance(value, list) else value
