import gc
from collections.abc import Iterator

import pytest

from services.ops.hosting.garbage import look_for_it_rarely


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    threshold, frozen, enabled = gc.get_threshold(), gc.get_freeze_count(), gc.isenabled()
    gc.enable()  # commands that were begun here have left it off
    yield
    gc.set_threshold(*threshold)
    if not enabled:
        gc.disable()
    if not frozen:
        gc.unfreeze()


class _Node:
    def __init__(self) -> None:
        self.itself = self


def _count_looks(objects: int) -> int:
    looks = 0

    def looked(phase: str, _: dict[str, int]) -> None:
        nonlocal looks
        looks += phase == "start"

    gc.callbacks.append(looked)
    try:
        kept = [[] for _ in range(objects)]  # type: ignore[var-annotated]
    finally:
        gc.callbacks.remove(looked)
    assert len(kept) == objects
    return looks


def test_garbage_is_looked_for_a_tenth_as_often_but_is() -> None:
    gc.set_threshold(700, 10, 10)  # Python's own; the suite has another
    before = _count_looks(100_000)

    look_for_it_rarely()

    assert 0 < _count_looks(100_000) <= before / 10


def test_what_was_loaded_is_left_alone_and_looking_goes_on_after_a_start_without() -> None:
    gc.disable()
    loaded = _Node()

    look_for_it_rarely()

    assert gc.isenabled()
    assert not any(each is loaded for each in gc.get_objects())
