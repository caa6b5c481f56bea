"""Reading `profiles.csv`."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Final

from services.market_data.core.findings import Finding, Rule
from services.market_data.core.profile import Profile
from services.market_data.providers.price_table import canonical
from services.market_data.providers.provider import MissingColumn, UnreadableFile, WrongEncoding

_TEXTS: Final = ("name", "sector", "industry", "country", "exchange", "currency")
_NUMBERS: Final = (
    "market_cap",
    "shares_outstanding",
    "beta",
    "pe_ratio",
    "forward_pe",
    "dividend_yield",
    "week_52_high",
    "week_52_low",
)
_TRUTHS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class ProfileTable:
    """Profiles by canonical symbol, and what could not be read."""

    profiles: Mapping[str, Profile]
    findings: tuple[Finding, ...]


def read_profiles(path: Path, provider: str) -> ProfileTable:
    """Read a profile file. A cell that cannot be read is left out and reported, the rest of its row is kept.

    Raises
    ------
    UnreadableFile, WrongEncoding, MissingColumn
        If the file as a whole cannot be used.
    """
    reader = _Reader(path.name, provider)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for line, header, cells in _rows(path, csv.reader(stream)):
                reader.take(line, header, cells)
    except UnicodeDecodeError as error:
        raise WrongEncoding(path, f"byte {error.start}") from error
    except (OSError, csv.Error) as error:
        raise UnreadableFile(path, str(error)) from error
    return ProfileTable(reader.profiles, tuple(reader.findings))


def _rows(path: Path, lines: Iterator[list[str]]) -> Iterator[tuple[int, Sequence[str], list[str]]]:
    header = [name.strip().lower() for name in next(lines, [])]
    if "symbol" not in header:
        raise MissingColumn(path, "symbol", header)
    for number, cells in enumerate(lines, start=2):
        if any(cell.strip() for cell in cells):
            yield number, header, cells


class _Reader:
    """Profiles and findings of one file."""

    def __init__(self, file: str, provider: str) -> None:
        self.profiles: dict[str, Profile] = {}
        self.findings: list[Finding] = []
        self._file, self._provider = file, provider
        self._line = 0
        self._symbol: str | None = None

    def take(self, line: int, header: Sequence[str], cells: Sequence[str]) -> None:
        self._line, self._symbol = line, None
        if len(cells) != len(header):
            self._report(Rule.WRONG_CELL_COUNT, f"{len(cells)} cells where the header has {len(header)}")
            return
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        self._symbol = row["symbol"] or None
        if self._symbol is None:
            self._report(Rule.MISSING_VALUE, "symbol")
            return
        key, profile = canonical(self._symbol), self._profile(self._symbol, row)
        known = self.profiles.setdefault(key, profile)
        if known is not profile:
            same = replace(known, symbol=profile.symbol) == profile
            self._report(Rule.DUPLICATE_IDENTICAL if same else Rule.DUPLICATE_CONFLICTING, "the first row is kept")

    def _profile(self, symbol: str, row: Mapping[str, str]) -> Profile:
        texts = {name: row.get(name) or None for name in _TEXTS}
        numbers = {name: self._number(name, row.get(name, "")) for name in _NUMBERS}
        beta_as_of = self._date("beta_as_of", row.get("beta_as_of", ""))
        if numbers["beta"] is not None and beta_as_of is None:
            self._report(Rule.MISSING_VALUE, "beta_as_of: a beta without its date is not used")
            numbers["beta"] = None
        is_etf = self._truth("is_etf", row.get("is_etf", ""))
        dated = beta_as_of if numbers["beta"] is not None else None
        values = {**texts, **numbers, "is_etf": is_etf, "beta_as_of": dated}
        return Profile(symbol, **{field.name: values[field.name] for field in fields(Profile)[1:]})  # type: ignore[arg-type]

    def _number(self, name: str, text: str) -> float | None:
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self._report(Rule.UNPARSABLE_NUMBER, f"{name} {text!r}")
            return None
        return value

    def _date(self, name: str, text: str) -> date | None:
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            self._report(Rule.UNPARSABLE_DATE, f"{name} {text!r}")
            return None

    def _truth(self, name: str, text: str) -> bool | None:
        value = _TRUTHS.get(text.lower())
        if text and value is None:
            self._report(Rule.UNUSABLE_FIELD, f"{name} {text!r}")
        return value

    def _report(self, rule: Rule, detail: str) -> None:
        finding = Finding(self._symbol, None, rule, detail, self._provider, self._file, self._line)
        self.findings.append(finding)
