"""What an import is understood to be, told before and after it is stored."""

from collections.abc import Iterator

import typer

from services.ops.client.answers.portfolios import Understood
from services.ops.client.rendering import money, percent

_SHOWN = {"\t": "tabs"}


def print_understood(understood: Understood) -> None:
    """Say what a book is, by its own trades."""
    for line in _lines(understood):
        typer.echo(line)


def _lines(understood: Understood) -> Iterator[str]:
    separator, sign = understood["separator"], understood["decimal_sign"]
    read = f", read between {_SHOWN.get(separator, separator)} with {sign} before decimals" if separator else ""
    yield f"understood: {understood['positions']} positions in {len(understood['symbols'])} priced symbols{read}"
    gross, cash = money(understood["gross"]), money(understood["cash_left"])
    share = percent(understood["gross_over_equity"])
    yield f"at its own prices it holds {gross} (gross over equity {share}) and {cash} is left in cash"
    early = understood["before_opening"]
    if early:
        yield (
            f"{early} positions were entered before it opens on {understood['opened_on']}, the first on "
            f"{understood['first_entry']}: what they gained until then is in the opening equity"
        )
