"""One JSON object a line on stdout: `ts`, `level`, `event`, and what belongs to the event."""

import json
import logging
import sys
from datetime import UTC, datetime


def log(event: str, level: str = "info", /, **fields: object) -> None:
    """Write one line now."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"ts": now, "level": level, "event": event, **fields}, default=str)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class _JsonHandler(logging.Handler):
    """Libraries log through `logging`; their lines take the same shape."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            message += f": {record.exc_info[1]!r}"
        log("library", record.levelname.lower(), logger=record.name, message=message)


def capture_library_logs() -> None:
    """Send warnings and errors of every library to `log`."""
    logging.basicConfig(level=logging.WARNING, handlers=[_JsonHandler()], force=True)
