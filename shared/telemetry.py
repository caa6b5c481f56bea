"""Structured logs: key-value, constant messages, and on each line whose it is."""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_logger_name

from shared.printable import printable

log = structlog.get_logger("telemetry")

# Not below `faststream`, which writes in a form of its own.
FASTSTREAM_LOGGER = "kafka.subscribers"


def configure_logging(*, level: str = "INFO", json_lines: bool = False) -> None:
    """Send the logs of the process to standard error, those of libraries in the same form.

    Libraries speak only from WARNING up, aiokafka and FastStream from further up: with a broker down they repeat
    themselves per consumer.
    """
    said: list[structlog.types.Processor] = [
        _add_context,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Here and not in the renderer, whose tracebacks show the values of variables, secrets among them.
        structlog.processors.format_exc_info,
    ]
    rendered: list[structlog.types.Processor] = (
        [structlog.processors.JSONRenderer()]
        if json_lines
        else [_made_printable, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)]
    )
    structlog.configure(
        processors=[*said, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_: _Printer(sys.stderr),
        cache_logger_on_first_use=False,
    )
    of_libraries = logging.StreamHandler(sys.stderr)
    of_libraries.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[add_logger_name, ExtraAdder(), *said],
            processors=[ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[of_libraries])
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # It names the URL of every request from INFO on, and one vendor wants its key there.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger(FASTSTREAM_LOGGER).setLevel(logging.ERROR)


class _Printer(structlog.PrintLogger):
    """Prints lines; one that cannot be written, as on a full disk, is lost and changes nothing else."""

    def msg(self, message: str) -> None:
        """Print a line."""
        with contextlib.suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = fatal = failure = err = error = critical = exception = msg


def _add_context(_: object, __: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    # Behind what the line says itself, which people read first.
    whose = {**dict(sorted(get_contextvars().items())), "pid": os.getpid()}
    return {**line, **{name: value for name, value in whose.items() if name not in line}}


def _made_printable(_: object, __: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    # What is no text is shown as Python writes it, which has no control characters.
    return {name: printable(value) if isinstance(value, str) else value for name, value in line.items()}


@contextmanager
def log_context(**whose: object) -> Iterator[None]:
    """Say on each line that is logged in the block, its threads included, whose it is; what is None is left out.

    What the block binds itself ends with it, too: the next message begins without it.
    """
    before = get_contextvars()
    bind_contextvars(**{name: str(value) for name, value in whose.items() if value is not None})
    try:
        yield
    finally:
        clear_contextvars()
        bind_contextvars(**before)


@contextmanager
def timed(step: str, **facts: object) -> Iterator[None]:
    """Say that a step is done and how long it took, unless it fails."""
    began = time.perf_counter()
    yield
    log.info(step, **facts, seconds=round(time.perf_counter() - began, 2))
