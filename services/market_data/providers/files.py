"""The `files` provider: prices and profiles from a directory that somebody fills (`docs/files-provider.md`)."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from services.market_data.providers.price_files import read_prices
from services.market_data.providers.price_table import PriceTable, canonical
from services.market_data.providers.profile_file import ProfileTable, read_profiles
from services.market_data.providers.provider import (
    AmbiguousFile,
    FetchedBars,
    FetchedProfiles,
    MissingFile,
    UnreadableFile,
)
from shared.conventions import HISTORY_DAYS
from shared.unavailable import Reason, Unavailable

PRICE_FILES: Final = ("prices.parquet", "prices.csv", "prices.csv.gz")
PROFILE_FILE: Final = "profiles.csv"


@dataclass(frozen=True, slots=True)
class _Stamp:
    """Which version of which file something was read from."""

    path: Path
    mtime_ns: int
    size: int

    @classmethod
    def of(cls, path: Path) -> "_Stamp":
        try:
            status = path.stat()
        except OSError as error:
            raise UnreadableFile(path, str(error)) from error
        return cls(path, status.st_mtime_ns, status.st_size)

    @property
    def written(self) -> date:
        return datetime.fromtimestamp(self.mtime_ns / 1e9, tz=UTC).date()


@dataclass(frozen=True, slots=True)
class _Loaded:
    stamp: _Stamp
    since: date
    table: PriceTable


class FilesProvider:
    """Reads a directory; a file is parsed once per version of it, however many shards ask."""

    name: Final = "files"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._prices: _Loaded | None = None
        self._profiles: tuple[_Stamp, ProfileTable] | None = None
        # held while parsing, in a worker thread: whoever comes meanwhile waits and finds the result
        self._parsing = threading.Lock()

    async def edition(self) -> str:
        """Return size and modification time of the price file."""
        stamp = await asyncio.to_thread(lambda: _Stamp.of(self._price_path()))
        return f"{stamp.path.name}:{stamp.size}:{stamp.mtime_ns}"

    async def fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        """Return the rows of the price file, see `Provider`."""
        return await asyncio.to_thread(self._fetch_bars, tuple(symbols), first, last)

    async def fetch_profiles(self, symbols: Sequence[str]) -> FetchedProfiles:
        """Return the rows of the profile file, see `Provider`."""
        return await asyncio.to_thread(self._fetch_profiles, tuple(symbols))

    def _fetch_bars(self, symbols: Sequence[str], first: date, last: date) -> FetchedBars:
        with self._parsing:
            loaded = self._load_prices(first)
        written = loaded.stamp.written
        return loaded.table.fetch(self.name, symbols, first=first, last=last, written=written)

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

    def _fetch_profiles(self, symbols: Sequence[str]) -> FetchedProfiles:
        path = self._directory / PROFILE_FILE
        if not path.exists():
            nothing = Unavailable(Reason.MISSING_DATA, f"there is no {PROFILE_FILE}")
            return FetchedProfiles(self.name, {}, dict.fromkeys(symbols, nothing))
        with self._parsing:
            table = self._load_profiles(path)
        known = {symbol: table.profiles.get(canonical(symbol)) for symbol in symbols}
        found = {s: facts.model_copy(update={"symbol": s}) for s, facts in known.items() if facts is not None}
        absent = Unavailable(Reason.MISSING_DATA, f"not in {PROFILE_FILE}")
        asked = {canonical(symbol) for symbol in symbols}
        findings = tuple(f for f in table.findings if f.symbol is None or canonical(f.symbol) in asked)
        return FetchedProfiles(self.name, found, {s: absent for s in symbols if s not in found}, findings)

    def _load_profiles(self, path: Path) -> ProfileTable:
        stamp = _Stamp.of(path)
        if self._profiles is None or self._profiles[0] != stamp:
            self._profiles = (stamp, read_profiles(path, self.name))
        return self._profiles[1]
