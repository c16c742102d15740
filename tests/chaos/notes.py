"""What an instance notes of each attempt that reaches it, and how it is read when all is over."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

from .book import Attempt, Hop

CALL = "x-chaos-call"
"""The metadata that has the number of the call an attempt is made for."""


class Notes:
    """Appends to its own file: a line stays once `add` has returned, even if the process is killed."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def add(self, number: str, hop: Hop) -> None:
        """An attempt has just arrived; its moment is on the clock that the processes of a machine share."""
        line = [int(number), time.monotonic(), hop.service, hop.version, hop.instance, hop.lane]
        self._file.write(json.dumps(line).encode() + b"\n")


def read(folder: Path, began: float) -> Iterator[Attempt]:
    """The attempts that were noted in the files of a folder; `began` is when the load's clock was 0."""
    for path in sorted(folder.iterdir()):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                number, moment, *hop = json.loads(line)
                yield Attempt(number, Hop(*hop), moment - began)
