"""Which of a service's tables are what: what it was told, what it computed from that, and what it alone knows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

# What the bus needs to deliver, and Alembic to migrate: it belongs to the service that runs.
DELIVERY: Final = frozenset({"inbox", "outbox", "fan_in", "fan_in_part", "cancelled_runs", "claims", "alembic_version"})

# Of a result what is no number: when, by whom and from which inputs it was computed.
OF_THE_ROW: Final = frozenset(
    {"revision", "known_at", "run_id", "digest", "moves_digest", "code_version", "prices_seen_below"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Results as they are stored together: a head with revisions, and the rows that belong to it.

    Attributes
    ----------
    head : str
        The table of the heads.
    key : tuple of str
        What a result is about; the session is `as_of`.
    details : mapping of str to tuple of str
        The other tables, each with what tells its rows of one head apart.
    revised : bool
        Whether a head has revisions; else the key says what it was made of, and a row is never another.
    rolled : bool
        Whether a result goes on from the one of the session before.
    labels : mapping of str to tuple of str
        For columns that are arrays, which columns name their elements: the first that the table has.
    alike : mapping of str to str
        Tables whose rows leave to another one what they say alike, and within what (`shared.db.alike`).
    """

    head: str
    key: tuple[str, ...]
    details: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    revised: bool = True
    rolled: bool = False
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    alike: Mapping[str, str] = field(default_factory=dict)

    @property
    def row_keys(self) -> dict[str, tuple[str, ...]]:
        """Return of every table what tells the rows of a revision apart."""
        return {self.head: self.key, **{table: (*self.key, *more) for table, more in self.details.items()}}

    def told(self, table: str) -> str:
        """Return where rows of a table say all of it themselves."""
        return f"{table}_whole" if table in self.alike else table

    def numbers_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a row says, each element of an array under its own name."""
        naming = {label for labels in self.labels.values() for label in labels}
        numbers: dict[str, Any] = {}
        for column, value in row.items():
            if isinstance(value, dict):
                numbers |= {f"{column}[{name}]": element for name, element in value.items()}
            elif isinstance(value, list) and column not in naming:
                numbers |= {f"{column}[{name}]": element for name, element in self._named(column, value, row)}
            elif column not in naming:
                numbers[column] = value
        return numbers

    def _named(self, column: str, values: Sequence[Any], row: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
        labels = next((row[label] for label in self.labels.get(column, ()) if label in row), range(len(values)))
        return zip(labels, values, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables of a service beside those of the bus.

    Attributes
    ----------
    replicas : tuple of str
        What other services have told; what is referred to stands first.
    workings : tuple of str
        What is to be done about it yet.
    results : tuple of Results
        What is computed.
    source : tuple of str
        What no event brings: nobody can compute it again.
    """

    replicas: tuple[str, ...] = ()
    workings: tuple[str, ...] = ()
    results: tuple[Results, ...] = ()
    source: tuple[str, ...] = ()

    @property
    def derived(self) -> tuple[str, ...]:
        """Every table that can be filled from events."""
        computed = (table for result in self.results for table in (*result.row_keys, *_beside(result.alike)))
        return (*self.replicas, *self.workings, *computed)


def _beside(alike: Iterable[str]) -> Iterator[str]:
    return (f"{table}_alike" for table in alike)
