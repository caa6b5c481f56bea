"""Structured logs: one line an event, key-value, constant messages."""

import logging
import sys

import structlog


def configure_logging(*, level: str = "INFO", json_lines: bool = False) -> None:
    """Send the logs of the process to standard error.

    aiokafka and FastStream speak only from WARNING up: with a broker down they repeat themselves per consumer.
    """
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if json_lines else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("faststream.kafka").setLevel(logging.ERROR)
