"""What a share is called, by whom and when: renames, classes of shares, and spellings of vendors."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from shared.symbols import class_of_share, one_spelling

EVERYBODY: Final = ""
# Who parts the class of a share by a dash; the others do it as here.
CLASS_AFTER_DASH: Final = frozenset({"fmp", "tiingo", "yahoo", "yahooquery"})
# Letters behind a point that are an exchange and no class: Frankfurt, London, Tokyo, Toronto's for ventures.
EXCHANGES: Final = frozenset("FLTV")
# Whose bars of a day are under the name of that day; the others have all of them under today's.
NAMES_OF_THE_DAY: Final = frozenset({"massive"})
# How who has closes of options calls a contract: its letters behind these.
CONTRACTS: Final[Mapping[str, str]] = MappingProxyType({"massive": "O:", "yahoo": ""})
# Who is asked for what is private.
NOBODY: Final = "nobody"
# No exchange has such symbols: people make them up for what they hold besides.
_MADE_UP: Final = re.compile(r".*_.*|EQ[0-9A-F]{8}")
_CONTRACT: Final = re.compile(r"[A-Z]{1,6}\d{6}[CP]\d{8}")
# What is on this machine is named as whoever put it there holds it.
NAMED_AS_HELD: Final = frozenset({"files", "sample"})


@dataclass(frozen=True, slots=True)
class Identifier:
    """That `vendor` (or everybody) calls `name`, from `first_day` to `last_day`, the share that is `symbol` today."""

    symbol: str
    name: str
    vendor: str = EVERYBODY
    first_day: date = date.min
    last_day: date = date.max

    def meets(self, other: "Identifier") -> bool:
        """Tell whether both are said by the same about a day."""
        same = self.vendor == other.vendor
        return same and self.first_day <= other.last_day and other.first_day <= self.last_day

    def __str__(self) -> str:
        """Return it for people."""
        days = (("from", self.first_day, date.min), ("until", self.last_day, date.max))
        when = "".join(f" {word} {day}" for word, day, unbounded in days if day != unbounded)
        return f"{self.name} is {self.symbol}{f' at {self.vendor}' if self.vendor else ''}{when}"


@dataclass(frozen=True, slots=True)
class Span:
    """A name, and the days on which it is the share's."""

    name: str
    first_day: date = date.min
    last_day: date = date.max


class Names:
    """The names of shares.

    Parameters
    ----------
    identifiers : iterable of Identifier
    """

    def __init__(self, identifiers: Iterable[Identifier] = ()) -> None:
        self._symbol_of: dict[str, str] = {}
        known = list(identifiers)
        for each in sorted(known, key=lambda each: each.last_day):
            if each.vendor == EVERYBODY:
                self._symbol_of[each.name] = each.symbol
        self._said: dict[str, list[Identifier]] = defaultdict(list)
        for each in known:
            self._said[self.today(each.symbol)].append(each)

    def today(self, symbol: str) -> str:
        """Return what everybody calls today the share that goes, or went, by a symbol."""
        now, seen = one_spelling(symbol), set[str]()
        while now in self._symbol_of and now not in seen:
            seen.add(now)
            now = self._symbol_of[now]
        return now

    def ways(self, symbol: str, vendor: str) -> tuple[tuple[Span, ...], ...]:
        """Return under which names a vendor is asked for a symbol: the first way of which it has anything counts.

        None where it is private, or a contract and the vendor has no options.
        """
        if vendor in NAMED_AS_HELD:
            return tuple((Span(name),) for name in dict.fromkeys((symbol, self.today(symbol))))
        if self.is_private(symbol):
            return ()
        if is_contract(symbol):
            return ((Span(f"{CONTRACTS[vendor]}{symbol}"),),) if vendor in CONTRACTS else ()
        if vendor in NAMES_OF_THE_DAY:
            return (tuple(self._by_day(self.today(symbol), vendor)),)
        return ((Span(self._name(self.today(symbol), vendor, date.max)),),)

    def is_private(self, symbol: str) -> bool:
        """Tell whether no vendor is asked for a symbol: it looks made up, or somebody has said so."""
        said = self._said.get(self.today(symbol), ())
        return _MADE_UP.fullmatch(symbol) is not None or any(each.vendor == NOBODY for each in said)

    def _name(self, symbol: str, vendor: str, day: date) -> str:
        for of in (vendor, EVERYBODY):
            for each in self._said[symbol]:
                if each.vendor == of and each.first_day <= day <= each.last_day:
                    return each.name if of else _spelled(each.name, vendor)
        return _spelled(symbol, vendor)

    def _by_day(self, symbol: str, vendor: str) -> Iterator[Span]:
        said = [each for each in self._said[symbol] if each.vendor in {vendor, EVERYBODY}]
        begins = {date.min, *(each.first_day for each in said)}
        begins |= {each.last_day + timedelta(days=1) for each in said if each.last_day < date.max}
        ordered = sorted(begins)
        for first, following in zip(ordered, [*ordered[1:], None], strict=True):
            last = date.max if following is None else following - timedelta(days=1)
            yield Span(self._name(symbol, vendor, first), first, last)


def is_contract(symbol: str) -> bool:
    """Tell whether a symbol is that of an option, as the clearing house writes it without blanks."""
    return _CONTRACT.fullmatch(symbol) is not None


def renames(since: Mapping[date, str]) -> list[Identifier]:
    """Return the former names of a share that has gone by each name from a day on."""
    days = sorted(since)
    return [
        Identifier(since[days[-1]], since[day], EVERYBODY, day, following - timedelta(days=1))
        for day, following in itertools.pairwise(days)
        if since[day] != since[days[-1]]
    ]


def conflict(identifier: Identifier, known: Iterable[Identifier]) -> Identifier | None:
    """Return what is known and does not go with an identifier.

    On one day a share has one name, and a name is one share. Of two names that are the same share already neither can
    become the other's.
    """
    others = [each for each in known if each != identifier]
    for each in others:
        if each.meets(identifier) and (each.symbol == identifier.symbol) != (each.name == identifier.name):
            return each
    names = Names(others)
    if identifier.vendor == EVERYBODY and names.today(identifier.symbol) == names.today(identifier.name):
        return next((each for each in others if identifier.symbol in {each.symbol, each.name}), None)
    return None


def _spelled(symbol: str, vendor: str) -> str:
    parted = class_of_share(symbol) if vendor in CLASS_AFTER_DASH else None
    return symbol if parted is None or parted[1] in EXCHANGES else "-".join(parted)
