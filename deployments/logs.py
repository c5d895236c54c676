"""JSON logs: one object a line on standard error, with the correlation id of the work that caused it."""

import logging
import sys

import structlog

_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure_logs(level: str = "INFO", *, readable: bool = False) -> None:
    """Send the process's own log lines, and those of the libraries, to standard error.

    Args:
        level: Least level that is logged.
        readable: For a person at a terminal, instead of JSON.
    """
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=list(_SHARED),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(
                    [
                        structlog.dev.ConsoleRenderer(
                            # The default shows every local variable, and takes seconds for it.
                            colors=sys.stderr.isatty(),
                            exception_formatter=structlog.dev.plain_traceback,
                        )
                    ]
                    if readable
                    else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
                ),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Their every line on INFO is about their own plumbing.
    for chatty in ("httpx", "httpcore", "botocore", "urllib3", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # During an outage of the database it repeats every second what is logged once elsewhere.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
