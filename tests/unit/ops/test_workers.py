import asyncio
import sys
from pathlib import Path

import pytest

from services.ops.errors import CommandError
from services.ops.hosting.embedded import restarts
from services.ops.hosting.embedded.ports import is_free
from services.ops.hosting.workers import Worker, run_beside


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker is tried twice, one right after the other."""
    monkeypatch.setattr(restarts, "TRIES", 1)
    monkeypatch.setattr(restarts, "FIRST_PAUSE_S", 0.0)


async def test_worker_that_ends_as_often_as_it_may_ends_the_platform_and_says_which_and_how(hasty: None) -> None:
    stopped = asyncio.Event()

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    worker = Worker(number=3, port=1, options=("--no-such-option",))
    with pytest.raises(CommandError, match="process 3 ended with code 2 as often as it may"):
        # Refused at once, before a service is loaded.
        await run_beside([worker], main())

    assert stopped.is_set()
    assert await worker.troubles() == ["process 3 ended with code 2"]


async def test_worker_that_does_not_answer_is_a_trouble_with_its_number() -> None:
    port = next(port for port in range(20_000, 32_000) if is_free(port))

    assert await Worker(number=2, port=port).troubles() == ["process 2 has not begun yet"]


@pytest.mark.parametrize(("ours", "theirs"), [(None, "2"), ("7", "7")])
async def test_worker_has_few_heaps_unless_told_otherwise(
    ours: str | None, theirs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hasty: None
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$MALLOC_ARENA_MAX" > {tmp_path}/said\nexit 2\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    if ours is not None:
        monkeypatch.setenv("MALLOC_ARENA_MAX", ours)

    with pytest.raises(CommandError):
        await Worker(number=2, port=1).run()

    assert (tmp_path / "said").read_text().strip() == theirs


async def test_what_ends_the_platform_is_raised_as_it_is() -> None:
    async def main() -> None:
        raise CommandError("a service cannot go on")

    with pytest.raises(CommandError, match="a service cannot go on"):
        await run_beside([], main())
