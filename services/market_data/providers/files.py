"""The `files` provider: what a directory holds that somebody fills (`docs/files-provider.md`)."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

import numpy as np

from services.market_data.core.findings import Finding
from services.market_data.core.tiers import EVERYTHING, DueTiers
from services.market_data.providers.csv_rows import FileTable
from services.market_data.providers.currency import HUNDRED
from services.market_data.providers.price_directory import DIRECTORY, price_files, read_prices
from services.market_data.providers.price_table import PRICES, PriceTable, canonical
from services.market_data.providers.profile_file import read_profiles
from services.market_data.providers.provider import (
    AmbiguousFile,
    FetchedBars,
    FetchedProfiles,
    FetchedStatements,
    Kind,
    MissingFile,
    ProviderError,
    UnreadableFile,
)
from services.market_data.providers.statement_file import read_statements
from shared.arrays import BoolArray
from shared.conventions import HISTORY_DAYS
from shared.profile import FACTS, ProfileFacts
from shared.unavailable import Reason, Unavailable

PRICE_FILES: Final = ("prices.parquet", "prices.csv", "prices.csv.gz", DIRECTORY)
COMPANY_FILES: Final[Mapping[Kind, str]] = MappingProxyType(
    {Kind.PROFILES: "profiles.csv", Kind.STATEMENTS: "fundamentals.csv"}
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Stamp:
    """Which version of which file something was read from, or of which files of a directory."""

    path: Path
    mtime_ns: int
    size: int
    files: int = 1

    @classmethod
    def of(cls, path: Path) -> "_Stamp":
        try:
            if path.name != DIRECTORY:
                status = path.stat()
                return cls(path, status.st_mtime_ns, status.st_size)
            statuses = [file.stat() for file, _ in price_files(path)]
        except OSError as error:
            raise UnreadableFile(path, str(error)) from error
        newest = max((status.st_mtime_ns for status in statuses), default=0)
        return cls(path, newest, sum(status.st_size for status in statuses), len(statuses))

    @property
    def written(self) -> date:
        return datetime.fromtimestamp(self.mtime_ns / 1e9, tz=UTC).date()

    def __str__(self) -> str:
        return f"{self.path.name}:{self.size}:{self.mtime_ns}" + (f":{self.files}" if self.files != 1 else "")


@dataclass(frozen=True, slots=True)
class _Loaded:
    stamp: _Stamp
    since: date
    table: PriceTable


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    """What a file says of the symbols asked for."""

    by_symbol: Mapping[str, T]
    unavailable: Mapping[str, Unavailable]
    findings: tuple[Finding, ...] = ()


def _in_whole_units(fetched: FetchedBars, small: BoolArray) -> FetchedBars:
    """Return the bars with the prices of symbols that are quoted in hundredths divided."""
    rows = fetched.rows
    if not small.any():
        return fetched
    unit = np.where(small, HUNDRED, 1.0)[rows.code]
    return replace(fetched, rows=replace(rows, **{name: getattr(rows, name) / unit for name in PRICES}))


class FilesProvider:
    """Reads a directory; a file is parsed once per version of it, however many shards ask."""

    name: Final = "files"
    facts: Final = frozenset(FACTS)

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._prices: _Loaded | None = None
        self._tables: dict[Kind, tuple[_Stamp, FileTable[Any]]] = {}
        # held while parsing, in a worker thread: whoever comes meanwhile waits and finds the result
        self._parsing = threading.Lock()

    async def edition(self, kind: Kind) -> str:
        """Return size and modification time of the file that holds them, if there is one."""
        return await asyncio.to_thread(self._edition, kind)

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        """Return the rows of the price file, see `BarProvider`."""
        return await asyncio.to_thread(self._fetch_bars, tuple(symbols), first, last)

    async def fetch_profiles(self, symbols: Sequence[str], _: DueTiers = EVERYTHING, /) -> FetchedProfiles:
        """Return the rows of the profile file, see `ProfileProvider`."""
        found = await asyncio.to_thread(self._look_up, Kind.PROFILES, read_profiles, symbols)
        said = await asyncio.to_thread(self._currencies, symbols)
        profiles = {
            symbol: filed.facts.model_copy(update={"symbol": symbol}) for symbol, filed in found.by_symbol.items()
        }
        for symbol, currency in said.items():
            known = profiles.get(symbol, ProfileFacts(symbol=symbol))
            profiles[symbol] = known.model_copy(update={"currency": currency})
        unavailable = {symbol: why for symbol, why in found.unavailable.items() if symbol not in profiles}
        return FetchedProfiles(self.name, profiles, unavailable, found.findings)

    async def fetch_statements(self, symbols: Sequence[str]) -> FetchedStatements:
        """Return the rows of the file of statements, see `StatementProvider`."""
        found = await asyncio.to_thread(self._look_up, Kind.STATEMENTS, read_statements, symbols)
        statements = {
            symbol: [replace(row, period=replace(row.period, symbol=symbol)) for row in rows]
            for symbol, rows in found.by_symbol.items()
        }
        return FetchedStatements(self.name, statements, found.unavailable, found.findings)

    def _edition(self, kind: Kind) -> str:
        if kind is Kind.BARS:
            return str(_Stamp.of(self._price_path()))
        if kind not in COMPANY_FILES:
            return "none"
        path = self._directory / COMPANY_FILES[kind]
        return str(_Stamp.of(path)) if path.exists() else f"no {path.name}"

    def _fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        with self._parsing:
            loaded = self._load_prices(first)
        fetched = loaded.table.fetch(self.name, symbols, first=first, last=last, written=loaded.stamp.written)
        return _in_whole_units(fetched, self._in_hundredths(fetched.rows.symbols, loaded.table))

    def _in_hundredths(self, symbols: Sequence[str], prices: PriceTable) -> BoolArray:
        """Return which symbols the profile file says to be quoted in hundredths, where the price file says nothing."""
        try:
            filed = self._look_up(Kind.PROFILES, read_profiles, symbols).by_symbol
        except ProviderError:
            # Whoever asks for profiles is told, and prices a hundredfold from those before are held.
            filed = {}
        small = [s in filed and filed[s].in_hundredths and canonical(s) not in prices.currency for s in symbols]
        return np.array(small, dtype=np.bool_)

    def _currencies(self, symbols: Sequence[str]) -> dict[str, str]:
        """Return the currencies that the price file says, where there is one."""
        try:
            stamp = _Stamp.of(self._price_path())
        except ProviderError:
            return {}
        with self._parsing:
            said = self._load_prices(stamp.written).table.currency
        return {symbol: said[canonical(symbol)] for symbol in symbols if canonical(symbol) in said}

    def _load_prices(self, first: date) -> _Loaded:
        stamp = _Stamp.of(self._price_path())
        loaded = self._prices
        if loaded is None or loaded.stamp != stamp or loaded.since > first:
            # one window further back, so that the backfills of a night find what its increments have loaded
            since = max(first, date(1, 1, 1) + timedelta(days=HISTORY_DAYS)) - timedelta(days=HISTORY_DAYS)
            loaded = _Loaded(stamp, since, read_prices(stamp.path, since))
            self._prices = loaded
        return loaded

    def _price_path(self) -> Path:
        found = [name for name in PRICE_FILES if (self._directory / name).exists()]
        if not found:
            raise MissingFile(self._directory, PRICE_FILES)
        if len(found) > 1:
            raise AmbiguousFile(self._directory, found)
        return self._directory / found[0]

    def _look_up(self, kind: Kind, read: Callable[[Path, str], FileTable[T]], symbols: Sequence[str]) -> _Found[T]:
        path = self._directory / COMPANY_FILES[kind]
        if not path.exists():
            nothing = Unavailable(Reason.MISSING_DATA, f"there is no {path.name}")
            return _Found({}, dict.fromkeys(symbols, nothing))
        with self._parsing:
            table = self._load_table(kind, path, read)
        asked = {symbol: canonical(symbol) for symbol in symbols}
        found = {symbol: table.by_symbol[key] for symbol, key in asked.items() if key in table.by_symbol}
        absent = Unavailable(Reason.MISSING_DATA, f"not in {path.name}")
        keys = set(asked.values())
        findings = tuple(f for f in table.findings if f.symbol is None or canonical(f.symbol) in keys)
        return _Found(found, {symbol: absent for symbol in symbols if symbol not in found}, findings)

    def _load_table(self, kind: Kind, path: Path, read: Callable[[Path, str], FileTable[T]]) -> FileTable[T]:
        stamp = _Stamp.of(path)
        if kind not in self._tables or self._tables[kind][0] != stamp:
            self._tables[kind] = (stamp, read(path, self.name))
        return self._tables[kind][1]
