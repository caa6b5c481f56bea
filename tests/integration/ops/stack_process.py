"""A process that runs a stack until it is told to stop: `python -m tests.integration.ops.stack_process DIR BROKER`.

With a third argument `untied` its servers survive a kill of it, as they do where the kernel cannot tie them to us.
"""

import asyncio
import dataclasses
import json
import signal
import sys
from pathlib import Path
from typing import cast

from services.ops.hosting.embedded import process
from services.ops.hosting.embedded.brokers import BrokerKind
from services.ops.hosting.embedded.stack import EmbeddedStack
from shared.telemetry import configure_logging


async def _run(data_dir: Path, broker: BrokerKind) -> None:
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    async with EmbeddedStack(data_dir, broker=broker) as stack:
        said = dataclasses.replace(stack, postgres=None, broker=None, directories=())  # type: ignore[arg-type]
        sys.stdout.write(json.dumps(dataclasses.asdict(said)) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    configure_logging()
    if sys.argv[3:] == ["untied"]:
        process.end_with_parent = lambda parent, stop_signal: None
    asyncio.run(_run(Path(sys.argv[1]), cast("BrokerKind", sys.argv[2])))
