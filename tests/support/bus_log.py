"""What the kernel logged during a test."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from shared.contracts.run import Run

# A bug, as opposed to a message that is wrong or a world that fails.
UNEXPECTED = frozenset(
    {
        *("handler failed", "background job failed", "failure report failed", "letter handler failed"),
        "gauges cannot be read",
    }
)


@dataclass(slots=True)
class BusLog:
    """The log lines of one test."""

    lines: list[MutableMapping[str, Any]] = field(default_factory=list)
    expected: set[str] = field(default_factory=set)

    def expect(self, *messages: str) -> None:
        """Say that this test provokes these messages."""
        self.expected.update(messages)

    def count(self, message: str, **fields: Any) -> int:
        """Count the lines with this message and these fields."""
        wanted = {"event": message, **fields}
        return sum(all(line.get(name) == value for name, value in wanted.items()) for line in self.lines)

    def of(self, message: str, run: Run | None = None) -> list[MutableMapping[str, Any]]:
        """Return the lines with this message, of one run or of all."""
        lines = [line for line in self.lines if line["event"] == message]
        return lines if run is None else [line for line in lines if line.get("run") == str(run.run_id)]

    def unexpected(self) -> list[MutableMapping[str, Any]]:
        """Return the lines that no test should provoke without saying so."""
        return [line for line in self.lines if line["event"] in UNEXPECTED - self.expected]

    def record(self, _: Any, level: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Keep a line and drop it (a structlog processor)."""
        self.lines.append({**line, "level": level})
        raise structlog.DropEvent
