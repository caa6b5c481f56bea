import asyncio
import os
from pathlib import Path

import pytest

from services.ops.hosting.embedded.errors import EmbeddedStartFailed
from services.ops.hosting.embedded.process import run_tool
from tests.integration.ops.processes import children_of, still_running
from tests.support.eventually import eventually


async def test_tool_not_waited_for_is_killed(tmp_path: Path) -> None:
    running_before = children_of(os.getpid())
    running = asyncio.create_task(run_tool("sleep", ("sleep", "60"), tmp_path))

    async def started_since() -> list[int]:
        return sorted(set(children_of(os.getpid())) - set(running_before))

    started = await eventually(started_since)

    running.cancel()
    # The traceback that is held here holds the process: it is not ended by being forgotten.
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not still_running(started)


async def test_tool_that_fails_shows_its_output(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedStartFailed, match="no such cluster"):
        await run_tool("tool", ("sh", "-c", "echo no such cluster; exit 3"), tmp_path)
