"""Whether there is space for what the servers write."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_MIB: Final = 1024 * 1024
# A server writes its log in files of 16 MiB, and both sides of an index that it builds.
LEAST_FREE_MIB: Final = 64


async def disk_troubles(directories: Sequence[Path]) -> list[str]:
    """Return where there is so little space that what is computed may soon not be stored."""
    free = {directory: shutil.disk_usage(directory).free // _MIB for directory in directories}
    return [
        f"the disk of {directory} must have {LEAST_FREE_MIB} MiB free, had {left}"
        for directory, left in free.items()
        if left < LEAST_FREE_MIB
    ]
