"""How many threads numbers are computed with, in a process as the command line starts it."""

import json
import os
import subprocess
import sys

PROGRAM = """
import services.ops.cli, services.risk.core.diversification, json, threadpoolctl
print(json.dumps([pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]))
"""


def test_blas_has_one_thread_whatever_the_machine_has() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    threads = json.loads(done.stdout)
    assert threads
    assert set(threads) == {1}
