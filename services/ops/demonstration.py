"""The command `demo`."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.ops.hosting.commands import BrokerOption
from services.ops.options import taking
from services.ops.terminal import say


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """The options of `demo`."""

    data_dir: Annotated[Path, typer.Option(help="Where the demo's data is kept.")] = Path("build/demo")
    broker: BrokerOption = None


@taking(DemoOptions)
def demo(options: DemoOptions) -> None:
    """Run the whole chain once over real sample prices.

    Three portfolios, a month of sessions.
    """
    from services.ops.hosting.embedded.lock import check_free

    check_free(options.data_dir)
    from services.ops.client.client import connected
    from services.ops.client.demo import run_demo
    from services.ops.data_directory import DataDirectory
    from services.ops.hosting.child_process import platform_process

    began = time.monotonic()
    data_dir = DataDirectory(options.data_dir)
    broker = ("--broker", options.broker.value) if options.broker else ()
    with platform_process(data_dir, ("--providers", "sample", "--factor-set", "sample", *broker)):
        say(f"ready after {time.monotonic() - began:.1f} s")
        with connected(data_dir, None) as client:
            run_demo(client, data_dir)
    say(f"the demo took {time.monotonic() - began:.1f} s")
