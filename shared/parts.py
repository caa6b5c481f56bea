"""Naming the parts of a stage."""

from collections.abc import Iterable, Iterator


def missing_of(arrived: Iterable[int], total: int) -> str:
    """Name the parts, counted from 0, that have not arrived: ``parts 3-7, 9 of 12``; empty if all have."""
    missing = sorted(set(range(total)).difference(arrived))
    if not missing:
        return ""
    return f"part{'s' if len(missing) > 1 else ''} {', '.join(_ranges(missing))} of {total}"


def _ranges(numbers: list[int]) -> Iterator[str]:
    start = last = numbers[0]
    for number in [*numbers[1:], None]:
        if number is None or number > last + 1:
            yield str(start) if start == last else f"{start}-{last}"
            start = last = start if number is None else number
        else:
            last = number
