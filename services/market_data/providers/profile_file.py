"""Reading `profiles.csv`."""

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from services.market_data.core.findings import Finding, Rule
from services.market_data.providers.price_table import canonical
from services.market_data.providers.provider import MissingColumn, UnreadableFile, WrongEncoding
from shared.profile import DESCRIPTION_LENGTH, FACTS, ProfileFacts

_TRUTHS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_BILLION: Final = 1_000_000_000.0
_POSITIVE: Final = (math.ulp(0.0), math.inf)
# A number outside of them cannot be what the column says, or could not be stored.
_BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    **dict.fromkeys(("market_cap", "shares_outstanding", "week_52_high", "week_52_low"), _POSITIVE),
    **dict.fromkeys(("target_mean_price", "target_high_price", "target_low_price"), _POSITIVE),
    "dividend_yield": (0.0, math.inf),
    **dict.fromkeys(("employees", "number_of_analyst_opinions"), (0.0, _BILLION)),
    **dict.fromkeys(("current_quarter_analyst_count", "next_quarter_analyst_count"), (0.0, _BILLION)),
    "fiscal_quarter_offset": (-12.0, 12.0),
    "recommendation_mean": (1.0, 5.0),
}
_MONTH_AND_DAY: Final = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


@dataclass(frozen=True, slots=True)
class ProfileTable:
    """Profiles by canonical symbol, and what could not be read."""

    profiles: Mapping[str, ProfileFacts]
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


def _rows(path: Path, lines: Any) -> Iterator[tuple[int, Sequence[str], list[str]]]:
    header = [name.strip().lower() for name in next(lines, [])]
    if "symbol" not in header:
        raise MissingColumn(path, "symbol", header)
    line = lines.line_num + 1  # a quoted cell may go over several lines: the first of them is named
    for cells in lines:
        if any(cell.strip() for cell in cells):
            yield line, header, cells
        line = lines.line_num + 1


class _Reader:
    """Profiles and findings of one file."""

    def __init__(self, file: str, provider: str) -> None:
        self.profiles: dict[str, ProfileFacts] = {}
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
            same = known.model_copy(update={"symbol": profile.symbol}) == profile
            self._report(Rule.DUPLICATE_IDENTICAL if same else Rule.DUPLICATE_CONFLICTING, "the first row is kept")

    def _profile(self, symbol: str, row: Mapping[str, str]) -> ProfileFacts:
        facts = {name: self._fact(name, row[name]) for name in FACTS if row.get(name)}
        if facts.get("beta") is not None and facts.get("beta_as_of") is None:
            self._report(Rule.MISSING_VALUE, "beta_as_of: a beta without its date is not used")
            facts["beta"] = None
        if facts.get("beta") is None:
            facts["beta_as_of"] = None
        return ProfileFacts(symbol=symbol, **facts)

    def _fact(self, name: str, text: str) -> Any:
        kind = ProfileFacts.model_fields[name].annotation
        if kind == bool | None:
            return self._truth(name, text)
        if kind == date | None:
            return self._date(name, text)
        if kind == str | None:
            return self._text(name, text)
        number = self._number(name, text)
        if kind == int | None and number is not None:
            return self._whole(name, number)
        return number

    def _whole(self, name: str, number: float) -> int | None:
        if number.is_integer():
            return int(number)
        self._report(Rule.UNUSABLE_FIELD, f"{name} {number} is no whole number")
        return None

    def _text(self, name: str, text: str) -> str | None:
        if "\x00" in text or (name == "fiscal_year_end" and not _MONTH_AND_DAY.fullmatch(text)):
            self._report(Rule.UNUSABLE_FIELD, f"{name} {text!r}")
            return None
        if name == "description" and len(text) > DESCRIPTION_LENGTH:
            self._report(Rule.UNUSABLE_FIELD, f"{name} cut to {DESCRIPTION_LENGTH} of {len(text)} characters")
            return text[:DESCRIPTION_LENGTH]
        return text

    def _number(self, name: str, text: str) -> float | None:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self._report(Rule.UNPARSABLE_NUMBER, f"{name} {text!r}")
            return None
        low, high = _BOUNDS.get(name, (-math.inf, math.inf))
        if not low <= value <= high:
            self._report(Rule.UNUSABLE_FIELD, f"{name} {text!r}")
            return None
        return value

    def _date(self, name: str, text: str) -> date | None:
        try:
            return date.fromisoformat(text)
        except ValueError:
            self._report(Rule.UNPARSABLE_DATE, f"{name} {text!r}")
            return None

    def _truth(self, name: str, text: str) -> bool | None:
        value = _TRUTHS.get(text.lower())
        if value is None:
            self._report(Rule.UNUSABLE_FIELD, f"{name} {text!r}")
        return value

    def _report(self, rule: Rule, detail: str) -> None:
        finding = Finding(self._symbol, None, rule, detail, self._provider, self._file, self._line)
        self.findings.append(finding)
