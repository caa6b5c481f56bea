"""Reading `profiles.csv`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from services.market_data.core.findings import Rule
from services.market_data.providers.csv_rows import CellReader, FileTable
from services.market_data.providers.currency import HUNDRED, currency_of, in_hundredths
from services.market_data.providers.fact_bounds import PRICES, possible_number, possible_text
from services.market_data.providers.price_table import canonical
from shared.profile import DESCRIPTION_LENGTH, FACTS, ProfileFacts

_TRUTHS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class FiledProfile:
    """A row of a profile file, and whether its symbol is quoted in hundredths: its own prices are divided already."""

    facts: ProfileFacts
    in_hundredths: bool


def read_profiles(path: Path, provider: str) -> FileTable[FiledProfile]:
    """Read a profile file. A cell that cannot be read is left out and reported, the rest of its row is kept.

    Raises
    ------
    UnreadableFile, WrongEncoding, MissingColumn
        If the file as a whole cannot be used.
    """
    cells = CellReader(path, provider)
    profiles: dict[str, FiledProfile] = {}
    for row in cells.rows():
        profile = FiledProfile(_profile(row, cells), in_hundredths(row.get("currency", "")))
        known = profiles.setdefault(canonical(profile.facts.symbol), profile)
        if known is not profile:
            same = known.facts.model_copy(update={"symbol": profile.facts.symbol}) == profile.facts
            cells.report(Rule.DUPLICATE_IDENTICAL if same else Rule.DUPLICATE_CONFLICTING, "the first row is kept")
    return FileTable(profiles, tuple(cells.findings))


def _profile(row: Mapping[str, str], cells: CellReader) -> ProfileFacts:
    facts = {name: _fact(name, row[name], cells) for name in FACTS if row.get(name)}
    if facts.get("beta") is not None and facts.get("beta_as_of") is None:
        cells.report(Rule.MISSING_VALUE, "beta_as_of: a beta without its date is not used")
        facts["beta"] = None
    if facts.get("beta") is None:
        facts["beta_as_of"] = None
    if in_hundredths(row.get("currency", "")):
        facts |= {name: facts[name] / HUNDRED for name in PRICES if facts.get(name) is not None}
    return ProfileFacts(symbol=row["symbol"], **facts)


def _fact(name: str, text: str, cells: CellReader) -> Any:
    kind = ProfileFacts.model_fields[name].annotation
    if kind == bool | None:
        return _truth(name, text, cells)
    if kind == date | None:
        return cells.date(name, text)
    if kind == str | None:
        return _text(name, text, cells)
    return _within_bounds(name, text, cells, cells.whole if kind == int | None else cells.number)


def _within_bounds(name: str, text: str, cells: CellReader, read: Callable[[str, str], float | None]) -> float | None:
    value = read(name, text)
    if value is None or possible_number(name, value):
        return value
    cells.report(Rule.UNUSABLE_FIELD, f"{name} {text!r}")
    return None


def _text(name: str, text: str, cells: CellReader) -> str | None:
    if name == "currency":
        return _currency(text, cells)
    if not possible_text(name, text):
        cells.report(Rule.UNUSABLE_FIELD, f"{name} {text!r}")
        return None
    if name == "description" and len(text) > DESCRIPTION_LENGTH:
        cells.report(Rule.UNUSABLE_FIELD, f"{name} cut to {DESCRIPTION_LENGTH} of {len(text)} characters")
        return text[:DESCRIPTION_LENGTH]
    return text


def _currency(text: str, cells: CellReader) -> str | None:
    currency = currency_of(text)
    if currency is None:
        cells.report(Rule.UNUSABLE_FIELD, f"currency {text!r}")
    return currency


def _truth(name: str, text: str, cells: CellReader) -> bool | None:
    value = _TRUTHS.get(text.lower())
    if value is None:
        cells.report(Rule.UNUSABLE_FIELD, f"{name} {text!r}")
    return value
