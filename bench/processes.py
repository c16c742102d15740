"""Processes of a run: each says that it is ready, none outlives the run."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mesh.environment import plain
from mesh.group import ProcessGroup

TIMEOUT = 300.0
"""Seconds that a client program may take."""
DESCRIPTORS = 4096
"""That a process may have open: 1,024 are the soft limit of many systems, and rows have 1,000 connections."""
_LAST = 2000
"""Bytes of what a failed process said last."""
_QUIET = {"GRPC_VERBOSITY": "NONE"}


class ProcessError(Exception):
    """A process did not do what it was started for; the message has its last words."""


class Process:
    """A child, its standard output line by line, its standard error in a file."""

    def __init__(self, argv: list[str], group: int, env: dict[str, str]) -> None:
        self.name = " ".join(Path(part).name for part in argv[:3])
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._popen = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            process_group=group,
            env=_environment() | env,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._popen.poll() is None

    def line(self) -> str:
        """The next line of its output; ProcessError at the end."""
        assert self._popen.stdout is not None  # it was asked for
        line = self._popen.stdout.readline()
        if not line:
            raise self.failure("ended without a word")
        return line.decode().rstrip("\n")

    def event(self, word: str) -> dict[str, Any]:
        """The first line of JSON on its standard error with this `event`, waited for."""
        while True:
            for line in self._said().splitlines():
                if line.startswith(b"{") and json.loads(line).get("event") == word:
                    found: dict[str, Any] = json.loads(line)
                    return found
            try:
                self._popen.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            raise self.failure(f"ended before {word!r}")

    def output(self, timeout: float = TIMEOUT) -> str:
        """All of its output, once it has ended; ProcessError where it fails, or takes too long."""
        try:
            out, _ = self._popen.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise self.failure(f"has not ended after {timeout:g} s") from None
        if self._popen.returncode:
            raise self.failure(f"ended with {self._popen.returncode}")
        return out.decode()

    def end(self) -> None:
        """Kill it, if it still lives."""
        self._popen.kill()
        self._popen.communicate()
        self._errors.close()

    def failure(self, why: str) -> ProcessError:
        """An error that says what it said last."""
        return ProcessError(f"{self.name}: {why}\n{self._said()[-_LAST:].decode(errors='replace')}")

    def _said(self) -> bytes:
        # Not by the file's own position: the child writes through the same one.
        return os.pread(self._errors.fileno(), os.fstat(self._errors.fileno()).st_size, 0)


def enough_descriptors() -> None:
    """Have this process and its children hold a thousand connections, where only the soft limit is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS and (hard == resource.RLIM_INFINITY or hard >= DESCRIPTORS):
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))


class Processes:
    """Starts the processes of a run, all in one group that ends with it (`mesh.group`)."""

    def __init__(self, folder: Path) -> None:
        self._group = ProcessGroup(folder)

    def close(self) -> None:
        """End them all."""
        self._group.close()

    @contextmanager
    def running(self, *argv: str, env: Mapping[str, str] | None = None) -> Iterator[Process]:
        """A process for the length of the block."""
        process = Process([*argv], self._group.id, {**(env or {})})
        try:
            yield process
        finally:
            process.end()

    @contextmanager
    def program(self, module: str, *args: str, env: Mapping[str, str] | None = None) -> Iterator[Process]:
        """A module of this repository as a process."""
        with self.running(sys.executable, "-m", module, *args, env=env) as process:
            yield process

    def result(
        self,
        module: str,
        spec: Mapping[str, Any],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> Any:
        """What a client program prints, given its specification; both are JSON."""
        with self.program(module, json.dumps(spec), env=env) as process:
            return json.loads(process.output(timeout))


def _environment() -> dict[str, str]:
    """The user's, without what would have one peer compile its modules at each start and another not."""
    found = plain("", os.environ) | _QUIET
    found.pop("PYTHONDONTWRITEBYTECODE", None)
    return found
