"""What an import is understood to be, told before and after it is stored."""

from collections.abc import Iterator
from datetime import date

from services.ops.client.answers.portfolios import Understood
from services.ops.client.client import ApiClient
from services.ops.client.rendering import money, percent
from services.ops.client.routes import SOURCES
from services.ops.terminal import say

_SHOWN = {"\t": "tabs"}
_ASKED_AT_ONCE = 200


class Tried(Understood):
    """What a book is understood to be, and why some of its symbols have no prices anywhere."""

    without_source: dict[str, str]


def with_sources(client: ApiClient, understood: Understood, as_of: date | None) -> Tried:
    """Ask for the symbols of a book whether any provider has prices of them."""
    symbols, without = understood["symbols"], dict[str, str]()
    for start in range(0, len(symbols), _ASKED_AT_ONCE):
        asked = symbols[start : start + _ASKED_AT_ONCE]
        found = client.get(SOURCES, symbol=asked, first=understood["opened_on"], last=as_of)["items"]
        without.update({entry["symbol"]: entry["detail"] or "" for entry in found if entry["source"] is None})
    return {**understood, "without_source": without}


def print_tried(tried: Tried) -> None:
    """Say what a book is, by its own trades."""
    for line in _lines(tried):
        say(line)


def _lines(understood: Tried) -> Iterator[str]:
    separator, sign = understood["separator"], understood["decimal_sign"]
    read = f", read between {_SHOWN.get(separator, separator)} with {sign} before decimals" if separator else ""
    yield f"understood: {understood['positions']} positions in {len(understood['symbols'])} priced symbols{read}"
    gross, cash = money(understood["gross"]), money(understood["cash_left"])
    ratio = understood["gross_over_equity"]
    share = " ".join(filter(None, (percent(ratio), ratio["detail"])))
    yield f"at its own prices it holds {gross} (gross over equity {share}) and {cash} is left in cash"
    early = understood["before_opening"]
    if early:
        yield (
            f"{early} positions were entered before it opens on {understood['opened_on']}, the first on "
            f"{understood['first_entry']}: what they gained until then is in the opening equity"
        )
    yield from (f"more than was held, unless it was split before: {told}" for told in understood["oversold"])
    yield from (f"no prices: {detail}" for detail in understood["without_source"].values())
