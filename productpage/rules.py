"""The door's rules as they are now: from the environment, and from a file that may change at any moment."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import watchfiles

from lanes.door import Door
from lanes.doorfile import DoorError, compiled, digest_of, parse_door

_log = logging.getLogger(__name__)
_RETRY = 1.0
# A write is one event or a few; looking again after 20 ms without another is soon enough for people.
_STEP_MS = 20
# For what no event tells of: a change before the watch began, a file system without events.
_LOOK_MS = 1000


class LiveDoor:
    """`current` is the door to go by; what is wrong with a file leaves the rules as they were."""

    def __init__(self, standing: Door, file: Path | None = None) -> None:
        self.current = standing
        self._standing = standing
        self._file = file
        self._digest = ""
        self._count = 0
        self._error: str | None = None
        self.read()

    def report(self) -> dict[str, Any]:
        """Which rules the door goes by, without saying what they are, and what is wrong with the file."""
        return {"digest": self._digest, "rules": self._count, "error": self._error}

    def read(self) -> None:
        """Go by what the file says now; no file is no rules."""
        if self._file is None:
            return
        try:
            text = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
            rules = compiled(parse_door(text, str(self._file)))
        except (DoorError, OSError, UnicodeDecodeError) as error:
            self._refuse(str(error))
            return
        self._error = None
        if self._digest == digest_of(text):
            return
        first = not self._digest
        self._digest, self._count = digest_of(text), len(rules)
        self.current = replace(self._standing, rules=(*self._standing.rules, *rules))
        if rules or not first:
            _log.info("the door goes by %d rules", len(rules), extra={"event": "door_rules"})

    async def follow(self) -> None:
        """Read the file whenever it changes, until cancelled."""
        if self._file is None:
            return
        # The folder and not the file: a file is replaced, and so is a ConfigMap that is mounted.
        folder = self._file.parent
        while True:
            try:
                changes = watchfiles.awatch(
                    folder, step=_STEP_MS, recursive=False, rust_timeout=_LOOK_MS, yield_on_timeout=True
                )
                async for _ in changes:
                    self.read()
            except (OSError, RuntimeError) as error:
                self._refuse(f"{folder} cannot be watched: {error}")
            await asyncio.sleep(_RETRY)
            self.read()

    def _refuse(self, reason: str) -> None:
        if reason != self._error:
            _log.error("the door keeps its rules: %s", reason, extra={"event": "door_rules_refused"})
        self._error = reason
