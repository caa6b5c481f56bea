"""What every source of market data offers, and how it fails.

    ProviderError                the provider could not answer at all; later it may
    ├── MissingFile              a file that has to be there is not
    ├── AmbiguousFile            two files claim to be the same thing
    ├── UnreadableFile           a file is there and cannot be read
    ├── WrongEncoding            a file is not UTF-8
    ├── MissingColumn            a required column is not in the header
    ├── SampleNotInstalled       the package that carries the sample data is not installed
    └── VendorError              see `vendor_errors.py`

A symbol that a provider does not know is no error but an `Unavailable` of that symbol.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from services.market_data.core.actions import CorporateAction
from services.market_data.core.breaking import Failure
from services.market_data.core.findings import Finding
from services.market_data.core.names import Identifier
from services.market_data.core.open_interest import OpenInterest
from services.market_data.core.raw_bars import RawBars
from services.market_data.core.statements import GivenStatement
from services.market_data.core.tiers import EVERYTHING, DueTiers
from shared.profile import ProfileFacts
from shared.unavailable import Unavailable


class ProviderError(Exception):
    """The provider could not answer at all.

    Attributes
    ----------
    failure : Failure or None
        How a vendor failed, where it is not to be asked again too soon.
    """

    failure: Failure | None = None


class MissingFile(ProviderError):
    """A file that has to be there is not."""

    def __init__(self, directory: Path, candidates: Sequence[str]) -> None:
        self.directory = directory
        self.candidates = tuple(candidates)
        super().__init__(f"{directory} must hold one of {', '.join(candidates)}, held none")


class AmbiguousFile(ProviderError):
    """Two files claim to be the same thing."""

    def __init__(self, directory: Path, found: Sequence[str]) -> None:
        self.directory = directory
        self.found = tuple(found)
        super().__init__(f"{directory} must hold one price file, held {', '.join(found)}")


class UnreadableFile(ProviderError):
    """A file is there and cannot be read."""

    def __init__(self, path: Path, detail: str) -> None:
        self.path = path
        super().__init__(f"{path} cannot be read: {detail}")


class WrongEncoding(ProviderError):
    """A file is not UTF-8."""

    def __init__(self, path: Path, where: str) -> None:
        self.path = path
        self.where = where
        super().__init__(f"{path} must be UTF-8, was not in {where}")


class MissingColumn(ProviderError):
    """A required column is not in the header."""

    def __init__(self, path: Path, column: str, found: Sequence[str]) -> None:
        self.path = path
        self.column = column
        self.found = tuple(found)
        super().__init__(f"{path} must have a column {column!r}, had {', '.join(map(repr, found)) or 'none'}")


class SampleNotInstalled(ProviderError):
    """The package that carries the sample data is not installed."""

    def __init__(self, package: str) -> None:
        self.package = package
        super().__init__(f"sample data must be installed (package {package!r}, extra 'embedded'), was not")


@dataclass(frozen=True, slots=True, eq=False)
class FetchedBars:
    """Raw rows of the symbols a provider knows, and why the others have none.

    Parameters
    ----------
    provider : str
    rows : RawBars
        Its `symbols` are those that have rows. Rows after the dates asked for only where they are from the future.
    unavailable : mapping of symbol to Unavailable
        Every other symbol asked for.
    findings : tuple of Finding
        Rows that could not even be read.
    findings_omitted : int
        How many more of those there are.
    failed : mapping of symbol to str
        Those on which the provider failed, in neither of the above: nothing is settled of them.
    failure : Failure or None
        On which the asking ended.
    actions : tuple of CorporateAction
        Of the same days, where the provider tells more of them than bars can have.
    not_entitled : collection of str
        Those of the failed that the plan does not have.
    """

    provider: str
    rows: RawBars
    unavailable: Mapping[str, Unavailable]
    findings: tuple[Finding, ...] = ()
    findings_omitted: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None
    actions: tuple[CorporateAction, ...] = ()
    not_entitled: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class FetchedProfiles:
    """Profiles of the symbols a provider knows, why others have none, and why it failed on the rest."""

    provider: str
    profiles: Mapping[str, ProfileFacts]
    unavailable: Mapping[str, Unavailable]
    findings: tuple[Finding, ...] = field(default=())
    failed: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None
    not_entitled: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class FetchedStatements:
    """Statements of the symbols a provider knows, why others have none, and why it failed on the rest.

    `rejected` are those of the unavailable that it does have.
    """

    provider: str
    statements: Mapping[str, Sequence[GivenStatement]]
    unavailable: Mapping[str, Unavailable]
    findings: tuple[Finding, ...] = field(default=())
    failed: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None
    not_entitled: Collection[str] = ()
    rejected: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class FetchedRates:
    """Interest rates of the series a provider knows, in fractions a year as quoted, and what it said of the rest."""

    provider: str
    rates: Mapping[str, Mapping[date, float]]
    unavailable: Mapping[str, Unavailable]
    findings: tuple[Finding, ...] = field(default=())
    failed: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None
    not_entitled: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class FetchedNames:
    """What a provider tells of how shares were called, of which symbols it tells nothing, and on which it failed."""

    identifiers: Sequence[Identifier]
    unavailable: Mapping[str, Unavailable] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class FetchedInterest:
    """What a provider tells of how many contracts of options were open."""

    told: Sequence[OpenInterest]
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """Everything that was traded on a session."""

    session: date
    symbols: frozenset[str]


class Kind(StrEnum):
    """What a provider is asked for."""

    BARS = "bars"
    PROFILES = "profiles"
    STATEMENTS = "statements"
    RATES = "rates"


class Provider(Protocol):
    """A source of market data; of which kinds say the protocols below."""

    @property
    def name(self) -> str:
        """Stored with every bar as its source."""

    async def edition(self, kind: Kind, /) -> str:
        """Return a text that changes when the answers of a kind may have changed without time passing.

        What was once found missing stays missing only within one edition: a price file that somebody completed is asked
        again for its old holes. Constant for a vendor whose history does not grow backward.
        """


@runtime_checkable
class BarProvider(Provider, Protocol):
    """A source of bars."""

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        """Return the rows of these distinct symbols on [first, last].

        Raises
        ------
        ProviderError
            If no symbol could be answered for.
        """


@runtime_checkable
class ProfileProvider(Provider, Protocol):
    """A source of profiles."""

    @property
    def facts(self) -> frozenset[str]:
        """The facts that it may have."""

    async def fetch_profiles(self, symbols: Sequence[str], tiers: DueTiers = EVERYTHING, /) -> FetchedProfiles:
        """Return the profiles of these distinct symbols.

        What is not due, by `tiers`, may be left out where that saves requests.

        Raises
        ------
        ProviderError
            If no symbol could be answered for.
        """


@runtime_checkable
class StatementProvider(Provider, Protocol):
    """A source of statements."""

    async def fetch_statements(self, symbols: Sequence[str]) -> FetchedStatements:
        """Return the statements of these distinct symbols, named as they were asked for.

        Raises
        ------
        ProviderError
            If no symbol could be answered for.
        """


@runtime_checkable
class RateProvider(Provider, Protocol):
    """A source of interest rates."""

    async def fetch_rates(self, series: Sequence[str], first: date, last: date) -> FetchedRates:
        """Return the rates of these distinct series on [first, last], on the days that have one.

        Raises
        ------
        ProviderError
            If no series could be answered for.
        """


@runtime_checkable
class ListingProvider(Provider, Protocol):
    """A source that keeps what it has said of whole sessions."""

    async def listed(self) -> Listed | None:
        """Return what was traded on the newest session that is kept, without asking anybody."""


@runtime_checkable
class NameProvider(Provider, Protocol):
    """A source of what shares were called."""

    async def fetch_names(self, symbols: Mapping[str, date]) -> FetchedNames:
        """Return under which other names the shares went that had these symbols on these days.

        Raises
        ------
        ProviderError
            If no symbol could be answered for.
        """


@runtime_checkable
class InterestProvider(Provider, Protocol):
    """A source of how many contracts of options are open."""

    async def fetch_open_interest(self, options: Sequence[str], first: date, last: date) -> FetchedInterest:
        """Return what is told of these options on [first, last]; nothing is told of what it does not know.

        Raises
        ------
        ProviderError
            If it could not be asked.
        """


@runtime_checkable
class Closing(Protocol):
    """What has connections that end with the service."""

    async def close(self) -> None:
        """Close the connections."""
