"""Structured logs: one JSON object a line, in which control characters are escaped and predictions have their ids."""

from __future__ import annotations

import json
import logging
import os
import sys

from nbprod.clock import format_utc, now

__all__ = ["log_to_stderr"]


class JsonLines(logging.Formatter):
    """Writes a record as one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, process, sentence, and the facts that were given with it."""
        facts = getattr(record, "facts", {})
        line = {
            "at": format_utc(now()),
            "level": record.levelname.lower(),
            "pid": os.getpid(),
            "message": record.getMessage(),
            **facts,
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to_stderr() -> None:
    """Send what the server and uvicorn have to say to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in (("nbprod", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
