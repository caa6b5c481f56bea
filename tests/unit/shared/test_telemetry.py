import asyncio
import errno
import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from structlog.contextvars import bind_contextvars

from shared.bus.broker import build_broker
from shared.bus.connection import Connection
from shared.printable import printable
from shared.telemetry import FASTSTREAM_LOGGER, configure_logging, log_context, timed

Captured = pytest.CaptureFixture[str]


@contextmanager
def _logging(*, json_lines: bool = True) -> Iterator[Any]:
    """Log as a new process does: pytest doesn't listen, and no other test (import-linter's) has shut loggers off."""
    before = logging.root.handlers[:]
    logging.root.handlers[:] = []
    for name in ("library", FASTSTREAM_LOGGER):
        logging.getLogger(name).disabled = False
    configure_logging(json_lines=json_lines)
    yield structlog.get_logger("ours")
    logging.root.handlers[:] = before


def _lines(capsys: Captured) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_line_of_a_library_has_the_form_and_the_context_of_ours(capsys: Captured) -> None:
    context = {"run": "a run", "part": "1/4"}
    whose = {**context, "pid": os.getpid()}

    with _logging() as log, log_context(**context):
        log.warning("said", symbol="AAPL")
        logging.getLogger("library").warning("said by %s", "it", extra={"topic": "prices.updated"})

    ours, theirs = _lines(capsys)
    assert ours.pop("timestamp") <= theirs.pop("timestamp")
    assert ours == {"event": "said", "level": "warning", "symbol": "AAPL", **whose}
    assert theirs.pop("logger") == "library"
    assert theirs == {"event": "said by it", "level": "warning", "topic": "prices.updated", **whose}


def test_line_says_its_own_facts_before_whose_it_is(capsys: Captured) -> None:
    with _logging(json_lines=False) as log, log_context(topic="prices.updated", run="1"):
        log.info("stage finished", stage="risk", parts=2, run="2")

    _, line = capsys.readouterr().err.split("] ")
    pid = f"pid={os.getpid()}"
    assert line.split() == ["stage", "finished", "stage=risk", "parts=2", "run=2", "topic=prices.updated", pid]


def test_line_for_people_steers_no_terminal(capsys: Captured) -> None:
    with _logging(json_lines=False) as log:
        log.warning("said\x1b[31m", name="\x1b]0;title", names=["\x1b[2J"])
        logging.getLogger("library").warning("said by \x9b2J")

    said = capsys.readouterr().err
    assert printable(said) == said
    assert r"said\x1b[31m" in said


def test_line_of_a_library_below_its_level_is_not_logged(capsys: Captured) -> None:
    with _logging():
        logging.getLogger("library").info("chatter")
        logging.getLogger("aiokafka").error("the broker is down, once more")

    assert _lines(capsys) == []


def test_line_of_faststream_is_written_once_in_the_form_of_ours(capsys: Captured) -> None:
    build_broker(Connection("localhost:9092"), service="risk")

    with _logging():
        logging.getLogger(FASTSTREAM_LOGGER).error("failed", extra={"group_id": "risk.store_prices"})

    (line,) = _lines(capsys)
    assert (line["event"], line["group_id"]) == ("failed", "risk.store_prices")


def test_traceback_shows_no_values(capsys: Captured, recwarn: pytest.WarningsRecorder) -> None:
    password = "".join(reversed("emases"))

    with _logging(json_lines=False) as log:
        for speaker in (log, logging.getLogger("library")):
            try:
                int(password[:0])
            except ValueError:
                speaker.exception("failed")

    said = capsys.readouterr().err
    assert said.count("ValueError: invalid literal") == 2
    assert "sesame" not in said
    # What an earlier test has left open is found whenever, also here.
    assert [warned for warned in recwarn.list if warned.category is not ResourceWarning] == []


async def test_context_reaches_threads_and_ends_with_its_block(capsys: Captured) -> None:
    with _logging() as log:
        with log_context(service="risk"):
            with log_context(run="a run", part=None):
                bind_contextvars(symbol="AAPL")
                await asyncio.to_thread(log.info, "inside")
            log.info("between")
        log.info("outside")

    said = [{name: line[name] for name in line.keys() - {"timestamp", "level", "pid"}} for line in _lines(capsys)]
    assert said == [
        {"event": "inside", "service": "risk", "run": "a run", "symbol": "AAPL"},
        {"event": "between", "service": "risk"},
        {"event": "outside"},
    ]


def test_timed_step_says_its_seconds_and_nothing_when_it_fails(capsys: Captured) -> None:
    with _logging():
        with timed("database is up", version="18"):
            pass
        with pytest.raises(ZeroDivisionError), timed("broker is up"):
            raise ZeroDivisionError

    (line,) = _lines(capsys)
    assert (line["event"], line["version"]) == ("database is up", "18")
    assert line["seconds"] >= 0


class _FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, f"no space for {len(text)} characters")


def test_line_that_cannot_be_written_changes_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", _FullDisk())
    monkeypatch.setattr(logging, "raiseExceptions", False)

    with _logging() as log:
        log.error("set aside")
        logging.getLogger("library").warning("said by a library")
