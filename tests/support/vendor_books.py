"""Books over the invented prices of vendors, entered by hand, and the numbers that platforms tell of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.support.command_line import sigmasight

LAST: Final = "2022-12-28"


def enter(data_dir: Path, name: str, *symbols: str) -> None:
    """Enter a book of a hundred of each on the platform of a directory, valued up to LAST."""
    path = data_dir / f"{name}.csv"
    rows = [f"{symbol},100,80.00,2022-11-25" for symbol in symbols]
    path.write_text("\n".join(["Symbol,Quantity,Entry Price Per Share,Entry Date", *rows]) + "\n")
    days = ("--opened-on", "2022-11-28", "--as-of", LAST)
    sigmasight(data_dir, "portfolios", "import", path, "--equity", "100000", *days)


def numbers(found: Any) -> Iterator[float]:
    """Yield every number of an answer in its order, whatever it is called; ids, times and texts are the book's own."""
    if isinstance(found, dict):
        for value in found.values():
            yield from numbers(value)
    elif isinstance(found, list):
        for value in found:
            yield from numbers(value)
    elif isinstance(found, int | float | str) and re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", str(found)):
        yield float(found)
