"""Log lines."""

import json
import logging

from telemetry.logs import JsonFormatter


def test_logs_are_json_with_the_request_they_belong_to() -> None:
    formatter = JsonFormatter({"service": "reviews"}, lambda: {"lane": "dev"})
    record = logging.makeLogRecord(
        {"msg": "hello %s", "args": ("ü",), "levelname": "INFO", "event": "e", "o": {1}}
    )
    line = formatter.format(record)
    assert "\n" not in line
    fields = json.loads(line)
    assert (fields["message"], fields["lane"], fields["service"]) == ("hello ü", "dev", "reviews")
    assert (fields["event"], fields["o"]) == ("e", "{1}")
