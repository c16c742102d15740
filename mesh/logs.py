"""The logs of a mesh: a file for each process, holding everything it wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from mesh.errors import NotFound, NotRunning
from mesh.process import Lines
from mesh.state import StateFolder

_POLL = 0.1
_CHUNK = 1 << 16


def log_files(state: StateFolder, name: str) -> list[Path]:
    """The logs of `reviews`, of `reviews/v2`, of `controlplane`; NotFound lists what there is."""
    there = sorted(state.logs.glob("*.log"))
    if not there:
        raise NotRunning(f"No mesh is running in {state}, and no logs are there.")
    service, _, version = name.partition("/")
    if version:
        chosen = [path for path in there if path.stem == f"{service}-{version}"]
    else:
        chosen = [
            path for path in there if path.stem in (service,) or path.stem.rpartition("-")[0] == service
        ]
    if not chosen:
        known = ", ".join(path.stem for path in there)
        raise NotFound(f"There is no log of {name!r} in {state}; there are {known}.")
    return chosen


class Tail:
    """Files read from their beginning and on as they grow; with many, each line says whose it is."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [_Growing(path, f"[{path.stem}] " if len(paths) > 1 else "") for path in paths]

    def read(self) -> Iterator[str]:
        """What has been written since the last call."""
        for file in self._files:
            yield from file.read()

    async def follow(self, until: Callable[[], bool]) -> AsyncIterator[str]:
        """What is written from now on, until `until` is true and all has been read."""
        while True:
            last = until()
            for line in self.read():
                yield line
            if last:
                return
            await asyncio.sleep(_POLL)


class _Growing:
    def __init__(self, path: Path, prefix: str) -> None:
        self._path = path
        self._prefix = prefix
        self._offset = 0
        self._lines = Lines()

    def read(self) -> Iterator[str]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            while data := file.read(_CHUNK):
                self._offset += len(data)
                for line in self._lines.feed(data):
                    yield self._prefix + line
