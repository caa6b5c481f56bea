"""Naming the parts of a stage."""

from collections.abc import Iterable, Iterator
from itertools import pairwise


def missing_of(arrived: Iterable[int], total: int) -> str:
    """Name the parts, counted from 0, that have not arrived: ``parts 3-7, 9 of 12``; empty if all have."""
    # From gap to gap: who says that there are many makes no work.
    gaps = list(_gaps(sorted({index for index in arrived if index < total}), total))
    if not gaps:
        return ""
    named = [str(first) if first == last else f"{first}-{last}" for first, last in gaps]
    only_one = len(gaps) == 1 and gaps[0][0] == gaps[0][1]
    return f"part{'' if only_one else 's'} {', '.join(named)} of {total}"


def _gaps(arrived: list[int], total: int) -> Iterator[tuple[int, int]]:
    for before, after in pairwise([-1, *arrived, total]):
        if after > before + 1:
            yield before + 1, after - 1
