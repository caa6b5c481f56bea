"""One process at a time on a data directory."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from services.ops.hosting.embedded.errors import DataDirectoryInUse, DataDirectoryUnusable


def check_free(data_dir: Path) -> None:
    """Make sure that nothing runs on a data directory now, and make nothing there.

    Raises
    ------
    DataDirectoryInUse
        If another process holds it.
    """
    if data_dir.exists():
        with DataDirectoryLock(data_dir):
            pass


class DataDirectoryLock:
    """Held while a stack runs on a data directory; the kernel lets go of it however the process ends.

    Parameters
    ----------
    data_dir : Path
        The directory to hold. It is created if it is missing.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataDirectoryUnusable(self._data_dir, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode()
            os.close(descriptor)
            raise DataDirectoryInUse(self._data_dir, holder) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            # The file stays: removing it would let two processes hold locks on two files of the same name.
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None
