"""What can go wrong with the embedded stack.

EmbeddedError
├── EmbeddedUnavailable     this machine lacks something: the message says what to install or which option to use
├── DataDirectoryInUse      another process runs on this data directory
├── DataDirectoryUnusable   nothing can be written there
└── EmbeddedStartFailed     a server ended or did not answer in time: the message ends with its last log lines
"""

from pathlib import Path

from services.ops.errors import CommandError


class EmbeddedError(CommandError):
    """An embedded server cannot be run."""


class EmbeddedUnavailable(EmbeddedError):
    """The machine lacks what the embedded server needs."""


class DataDirectoryInUse(EmbeddedError):
    """Another process holds the lock of the data directory."""

    def __init__(self, data_dir: Path, holder: str) -> None:
        self.data_dir = data_dir
        self.holder = holder
        super().__init__(f"data directory {data_dir} must not be in use, was held by process {holder or 'unknown'}")


class DataDirectoryUnusable(EmbeddedError):
    """Nothing can be written to the data directory."""

    def __init__(self, data_dir: Path, error: OSError) -> None:
        super().__init__(
            f"data directory {data_dir} must be one that we may write to: {error.strerror} ({error.filename})"
        )


class EmbeddedStartFailed(EmbeddedError):
    """An embedded server ended, or did not become ready in time."""

    def __init__(self, name: str, reason: str, log: Path, log_tail: str) -> None:
        self.name = name
        self.log = log
        super().__init__(f"{name} did not start: {reason}; the end of {log}:\n{log_tail}")
