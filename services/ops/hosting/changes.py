"""What differs between two computations of the same results, number by number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.ops.tables import TABLES
from shared.db.beside import Difference


@dataclass(frozen=True, slots=True)
class Change:
    """A number that is another one, or a row (then without a name) that only one side has.

    Attributes
    ----------
    session : str
        As of which.
    subject : str
        Of which portfolio or symbol, and what else tells its rows apart.
    table, number : str, str or None
        Which number of which table.
    live, beside : any
        What it is, here and there; a row that is there is True.
    by : float or None
        How much it is larger beside, where both are numbers.
    """

    session: str
    subject: str
    table: str
    number: str | None
    live: Any
    beside: Any
    by: float | None = None


def changes(service: str, differences: Sequence[Difference]) -> list[Change]:
    """Return what differs, by session, subject and table."""
    found = [change for difference in differences for change in _changes(service, difference)]
    return sorted(found, key=lambda change: (change.session, change.subject, change.table, change.number or ""))


def contradicted(differences: Sequence[Difference]) -> bool:
    """Tell whether anything that serves is another beside, or is not there; what is new contradicts nothing."""
    return any(difference.live is not None for difference in differences)


def _changes(service: str, difference: Difference) -> Iterator[Change]:
    key = {column: str(value) for column, value in difference.key.items()}
    about = key.pop("as_of"), " ".join(key.values()), difference.table
    if difference.live is None or difference.beside is None:
        yield Change(*about, None, difference.live is not None, difference.beside is not None)
        return
    (results,) = (each for each in TABLES[service].results if difference.table in each.row_keys)
    live, beside = results.numbers_of(difference.live), results.numbers_of(difference.beside)
    for name in {**live, **beside}:
        one, other = live.get(name), beside.get(name)
        if one != other:
            yield Change(*about, name, one, other, _by(one, other))


def _by(one: Any, other: Any) -> float | None:
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    return other - one if numeric else None
